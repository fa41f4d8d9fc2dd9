//! The texts of the WGSL files: headers, lines, names, and what naga lets pass although WGSL forbids it.

use super::*;
use gpubench::kernels::comments::without_comments;
use gpubench::kernels::unroll;

/// What is unrolled is a matter of speed: the files themselves are valid, and a mistake in one is reported at its own
/// line.
#[test]
fn every_text_is_valid_before_its_loops_are_unrolled() {
    let mut unrolled = 0;
    for kernel in all() {
        let outcome = validator(kernel).validate(&parse_text(kernel, &kernel.text()));
        assert!(outcome.is_ok(), "{}: {:?}", kernel.name, outcome.err());
        unrolled += usize::from(kernel.text() != kernel.wgsl());
        assert!(!kernel.wgsl().contains("// unroll\n"), "{} still has a marker", kernel.name);
    }
    assert!(unrolled > 0, "no kernel has a marked loop");
}

/// What naga parsed, in words, without the places in the text.
fn without_spans(module: &naga::Module) -> String {
    let debug = format!("{module:?}");
    let pieces: Vec<&str> = debug.split("span_info: [").collect();
    let after_spans = |piece: &&str| piece.split_once(']').expect("the list of spans ends").1.to_owned();
    assert!(pieces.len() > 1, "{debug}");
    pieces[0].to_owned() + &pieces[1..].iter().map(after_spans).collect::<String>()
}

/// A page embeds the texts without their comments: it compiles the same modules and gives the same hash.
#[test]
fn comments_change_neither_a_module_nor_a_hash() {
    let mut shorter = 0;
    for kernel in all() {
        let bare = unroll(&without_comments(&kernel.text())).unwrap();
        assert_eq!(bare, without_comments(&kernel.wgsl()), "{}: the hash differs in a page", kernel.name);
        assert_eq!(without_spans(&parse_text(kernel, &bare)), without_spans(&parse(kernel)), "{}", kernel.name);
        assert!(!bare.contains("//") && !kernel.text().contains("/*"), "{} has comments", kernel.name);
        shorter += kernel.text().len() - without_comments(&kernel.text()).len();
    }
    assert!(shorter > 20_000, "only {shorter} bytes were comments");
    let [bare, other] = ["fn f() { let a = 1; }", "fn f() { let a = 2; }"].map(|text| parse_text(KERNELS[0], text));
    assert_ne!(without_spans(&bare), without_spans(&other), "modules that differ are told apart");
}

#[test]
fn no_line_is_longer_than_120_characters() {
    for (path, text) in files() {
        for line in text.lines() {
            assert!(line.chars().count() <= 120, "{}: {line}", path.display());
        }
    }
}

#[test]
fn no_two_shared_functions_have_one_name() {
    let mut seen = BTreeSet::new();
    for (path, text) in
        files().into_iter().filter(|(path, _)| path.parent().is_some_and(|folder| folder.ends_with("shared")))
    {
        for function in text.lines().filter_map(|line| line.strip_prefix("fn ")?.split('(').next()) {
            assert!(
                seen.insert(function.to_owned()),
                "{} is in {} and in another shared text",
                function,
                path.display()
            );
        }
    }
    assert!(seen.contains("threefry2x32"), "{seen:?}");
}

/// The statements of a file's header. A line that continues one is indented by three spaces; nothing else may stand
/// there.
fn header(kernel: &Kernel) -> Vec<String> {
    let mut statements: Vec<String> = Vec::new();
    for line in kernel.source.lines().take_while(|line| !line.is_empty()) {
        let text = line.strip_prefix("// ").unwrap_or_else(|| panic!("{}: {line} is in the header", kernel.name));
        let continued = text.strip_prefix("  ");
        assert!(!continued.unwrap_or(text).starts_with(' '), "{}: {line} is indented otherwise", kernel.name);
        match (continued, statements.last_mut()) {
            (Some(more), Some(statement)) => *statement += &format!(" {more}"),
            (Some(_), None) => panic!("{}: {line} continues nothing", kernel.name),
            (None, _) => statements.push(text.to_owned()),
        }
    }
    statements
}

#[test]
fn every_file_begins_with_its_six_statements() {
    for kernel in all() {
        let statements = header(kernel);
        assert!(statements[0].ends_with('.'), "{}: {}", kernel.name, statements[0]);
        // A variant says what differs.
        let begins = match statements[0].strip_prefix("As ") {
            Some(rest) => {
                let of = all().find(|other| rest.starts_with(&format!("{},", other.name)));
                let of = of.unwrap_or_else(|| panic!("{} is a variant of nothing", kernel.name));
                assert_eq!((of.shared, of.bindings, of.constants), (kernel.shared, kernel.bindings, kernel.constants));
                &["Source: "][..]
            }
            None => &["Math: ", "Shapes: ", "Grid: ", "Cost: flop ", "Source: "],
        };
        assert_eq!(statements.len(), 1 + begins.len(), "{}: {statements:?}", kernel.name);
        for (statement, begin) in statements[1..].iter().zip(begins) {
            assert!(statement.starts_with(begin), "{}: {statement} does not start with {begin}", kernel.name);
            assert_eq!(statement.starts_with("Cost: "), statement.contains("; bytes "), "{}: {statement}", kernel.name);
        }
    }
}

#[test]
fn every_binding_stands_on_a_line_of_its_own_that_ends_in_its_shape() {
    for kernel in all() {
        let text = kernel.text();
        let lines: Vec<&str> = text.lines().filter(|line| line.contains("@binding")).collect();
        assert_eq!(lines.len(), kernel.bindings.len(), "{}", kernel.name);
        for line in lines {
            assert!(line.starts_with("@group(0) @binding(") && line.contains("; // "), "{}: {line}", kernel.name);
        }
    }
}

/// Where `line` mixes a shift with `&`, `|` or `^` without parentheses, which WGSL forbids and naga lets pass.
fn mixed_shift(line: &str) -> Option<&str> {
    let code = line.split("//").next().unwrap_or_default();
    let shifts = code.match_indices(">>").chain(code.match_indices("<<")).map(|(at, _)| &code[at + 2..]);
    shifts.into_iter().find(|rest| {
        let mut depth = 0;
        for letter in rest.chars() {
            match letter {
                '(' | '[' => depth += 1,
                ')' | ']' if depth == 0 => return false,
                ')' | ']' => depth -= 1,
                ',' | ';' if depth == 0 => return false,
                '&' | '|' | '^' if depth == 0 => return true,
                _ => {}
            }
        }
        false
    })
}

#[test]
fn shifts_stand_in_parentheses_beside_bitwise_operators() {
    assert!(mixed_shift("let x = word >> (2u * c) & 3u;").is_some());
    assert!(mixed_shift("let x = (word >> (2u * c)) & 3u;").is_none());
    assert!(mixed_shift("f(a >> 2u, b & 3u);").is_none());
    for kernel in KERNELS {
        for line in kernel.wgsl().lines() {
            assert!(mixed_shift(line).is_none(), "{}: {line}", kernel.name);
        }
    }
}
