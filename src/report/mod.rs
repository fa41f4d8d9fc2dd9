//! Results for people: text for a terminal, Markdown, CSV, an HTML page and a timeline.
//!
//! [`text()`] is the whole report of a result and [`html()`] the same as a page. [`Tables`] shows one result or many
//! among the published rows.

mod account;
mod action;
mod answer;
mod card;
mod compare;
mod compare_json;
mod compare_text;
mod devices;
mod differences;
mod explain;
mod html;
mod kernels;
mod layout;
mod load;
mod numbers;
mod parallel;
mod peaks;
mod profile;
mod published;
mod scaling;
mod summary;
mod sweep;
mod text;
mod trace;
mod tuning;
mod work;

pub use action::{action_benchmark, action_benchmark_of};
pub use card::{LINES as CARD_LINES, card, headline};
pub use compare::{ComparedFigure, Judged, ResultComparison, compare, compare_runs};
pub use compare_json::comparisons_json;
pub use compare_text::compare_text;
pub use devices::devices_text;
pub use differences::{Difference, Role, differences};
pub use explain::{
    Figure, FigureGroup, LEAST_SIMILARITY, figure, figure_groups, figure_text, figures_text, nearest_figures,
};
pub use html::{
    STYLE as HTML_STYLE, comparisons as comparisons_html, fragment as html_fragment, html, scaling as scaling_html,
    tables as tables_html,
};
pub use kernels::text as kernels_text;
pub use peaks::text as peaks_text;
pub use published::{Excluded, Group, LoadedResult, PublishedRow, PublishedTable, TableView, Tables};
pub use published::{parse_published, published_rows, tool};
pub use scaling::{Cluster, Link, Scaling, scaling, scaling_text};
pub use text::{DEFAULT_WIDTH, markdown, text};
pub use trace::chrome_trace;
pub use tuning::tuning_text;
pub use work::epoch as epoch_words;
