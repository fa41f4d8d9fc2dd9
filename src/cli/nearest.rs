//! The name that a misspelt one is most like.

use crate::report::LEAST_SIMILARITY;

/// The one of `names` that is most like `name`, if any is like it.
pub fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let similar = names.into_iter().map(|other| (strsim::jaro_winkler(other, &name), other));
    similar
        .filter(|(likeness, _)| *likeness >= LEAST_SIMILARITY)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, other)| other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_similar_name_is_offered_and_none_that_is_unlike() {
        let names = ["conv_forward", "conv_backward_bias", "dense_forward"];
        assert_eq!(nearest("conv_forwrd", names), Some("conv_forward"));
        assert_eq!(nearest("DENSE", names), Some("dense_forward"));
        assert_eq!(nearest("xyzzy", names), None);
    }
}
