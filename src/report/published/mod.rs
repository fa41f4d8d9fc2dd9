//! Results among the published rows of 2016-17.
//!
//! [`Tables::of`] turns many results into rows, [`Tables::of_run`] a single one. [`Tables::text`],
//! [`Tables::markdown`], [`Tables::csv`] and the HTML page show the same columns, which one table of columns defines.

mod bars;
mod columns;
mod csv;
mod group;
mod history;
mod hosts;
mod tables;
mod text;
mod view;

pub(in crate::report) use bars::Bar;
pub(in crate::report) use group::other_data;
pub use group::tool;
pub use group::{Excluded, Group, LoadedResult};
pub(in crate::report) use history::is_cpu_target;
pub use history::{PublishedRow, PublishedTable, parse_published, published_rows};
pub(in crate::report) use tables::Medium;
pub use tables::Tables;
pub use view::TableView;
