//! Results sorted into the rows of the tables.

use super::columns::{BEST_OF_TABLE, COLUMNS, Cell, Column, RATIO_TO_BEST, SOURCE, TIME_TO_GOOD_ERROR};
use super::group::{self, Excluded, Group, LoadedResult};
use super::history::PublishedTable;
use super::hosts::Hosts;
use super::view::{Row, TableRows, TableView, nearest_published};
use crate::report::layout;
use crate::report::numbers::{Notes, as_given};
use crate::result::RunResult;

/// What the published rows are.
const CAVEAT: &str = "The rows of 2016-17 are single runs published by szilard/benchm-dl. Their tools differed in \
    initialisation, decay and loss, and their times are those of whole fit calls.";

/// Keys of columns whose cells for a single run stand in the facts of its report too.
const TOLD_ELSEWHERE: [&str; 2] = ["threads", "trainings"];

/// Where a table is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum Medium {
    /// On a page, with all columns.
    Page,
    /// On a terminal, with the names of files in notes below the table.
    Terminal,
    /// On a terminal without room for all columns.
    NarrowTerminal,
}

/// Results as rows among the published ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Tables<'a> {
    /// The rows, the shortest time first.
    pub groups: Vec<Group<'a>>,
    /// The results that no table shows.
    pub excluded: Vec<Excluded<'a>>,
    /// Whether these are runs just made, which are shown whatever their status.
    is_run: bool,
}

impl<'a> Tables<'a> {
    /// Groups complete standard results that are alike into rows, and excludes all others.
    pub fn of(loaded: &'a [LoadedResult]) -> Self {
        let mut excluded = Vec::new();
        let mut groups: Vec<Group<'a>> = Vec::new();
        let hosts = Hosts::of(loaded);
        for loaded in loaded {
            match group::reason_to_exclude(&loaded.result) {
                Some(reason) => excluded.push(Excluded { loaded, reason }),
                None => group::insert(&mut groups, loaded, hosts.level(&loaded.result)),
            }
        }
        let seconds = |group: &Group<'_>| group.train_s().value().copied().unwrap_or(f64::INFINITY);
        groups.sort_by(|a, b| seconds(a).total_cmp(&seconds(b)));
        group::distinguish(&mut groups);
        Self { groups, excluded, is_run: false }
    }

    /// A single run, whatever its status. What makes it incomparable is shown in place of its ratios.
    pub fn of_run(result: &'a RunResult) -> Self {
        Self::of_runs(std::slice::from_ref(result))
    }

    /// A row for each of `results`, as [`Tables::of_run()`] makes it.
    pub fn of_runs(results: &'a [RunResult]) -> Self {
        Self { groups: results.iter().map(Group::of_run).collect(), excluded: Vec::new(), is_run: true }
    }

    /// The title of a view.
    pub(in crate::report) fn title(&self, view: TableView) -> String {
        if self.is_run {
            let runs = if self.groups.len() == 1 { "This run" } else { "These runs" };
            return format!("{runs} among the published ones, {}", view.name());
        }
        let mut letters = view.name().chars();
        letters
            .next()
            .map_or_else(String::new, |first| std::iter::once(first.to_ascii_uppercase()).chain(letters).collect())
    }

    /// The rows of one table.
    pub(super) fn rows(&self, view: TableView) -> TableRows<'_> {
        // The table of CPUs shows the fastest GPU; the others show all GPUs.
        let fastest_gpu = self.groups.iter().position(|group| !group.on_cpu());
        let is_shown = |(index, group): &(usize, &Group<'_>)| match view {
            TableView::Published(PublishedTable::GpuAgainstCpu) => group.on_cpu() || fastest_gpu == Some(*index),
            TableView::Published(PublishedTable::ByGpu) => !group.on_cpu() || group.devices() > 1,
            TableView::Published(PublishedTable::ByTool) | TableView::Generations => !group.on_cpu(),
            TableView::Progress => nearest_published(group).is_some(),
            TableView::Excluded => false,
        };
        let groups = self.groups.iter().enumerate().filter(is_shown).map(|(_, group)| group).collect();
        TableRows::new(view, groups, !self.is_run)
    }

    /// The columns of a table. A narrow terminal goes without sources, and for a single run without the columns that
    /// the report tells elsewhere.
    fn columns(&self, view: TableView, medium: Medium) -> impl Iterator<Item = &'static Column> {
        let is_run = self.is_run;
        let is_dispensable = move |key| key == SOURCE || (is_run && TOLD_ELSEWHERE.contains(&key));
        let columns = COLUMNS.iter().filter(move |column| column.tables.contains(&view));
        // Terminals have no room for it.
        let columns = columns.filter(move |column| medium == Medium::Page || column.key != TIME_TO_GOOD_ERROR);
        columns.filter(move |column| medium != Medium::NarrowTerminal || !is_dispensable(column.key))
    }

    /// One table as text cells.
    pub(in crate::report) fn table(&self, view: TableView, medium: Medium) -> layout::Table {
        let rows = self.rows(view);
        let columns: Vec<&Column> = self.columns(view, medium).collect();
        let mut notes = Notes::default();
        let mut shown = Vec::new();
        for row in rows.rows() {
            let mut cells = cells(&row, &rows, &columns, &mut notes);
            match row {
                // Names of files are too long for a column of a terminal.
                Row::Ours(group) if medium != Medium::Page && !self.is_run => {
                    let files = group.sources();
                    let mark = notes.mark(&files.join(", "));
                    let count = if files.len() == 1 { "1 file".to_owned() } else { format!("{} files", files.len()) };
                    match cells.last_mut().filter(|_| medium == Medium::Terminal) {
                        Some(source) => *source = count + &mark,
                        None => cells[1] += &mark,
                    }
                }
                _ => {}
            }
            shown.push(cells);
        }
        layout::Table {
            columns: columns.iter().map(|column| (column.heading, column.is_text)).collect(),
            rows: shown,
            emphasised: if self.is_run { rows.groups.len() } else { 0 },
            notes,
        }
    }

    /// What the columns of the tables among `views` mean and what the published rows are, one or two sentences each.
    pub(in crate::report) fn legend(&self, views: &[TableView], medium: Medium) -> Vec<String> {
        let tables = || TableView::TABLES.into_iter().filter(|table| views.contains(table));
        let is_shown =
            |column: &&Column| tables().any(|table| self.columns(table, medium).any(|shown| shown.key == column.key));
        let meaning = |column: &'static Column| match (column.key, self.is_run) {
            (RATIO_TO_BEST, true) => BEST_OF_TABLE,
            _ => column.meaning,
        };
        let meanings = COLUMNS.iter().filter(is_shown).map(meaning);
        let mut legend: Vec<String> = meanings.filter(|meaning| !meaning.is_empty()).map(str::to_owned).collect();
        legend.extend(tables().filter_map(|table| self.tensorflow_of_run(table)));
        legend.extend(tables().next().map(|_| CAVEAT.to_owned()));
        legend
    }

    /// The published row that the column `vs TF` of a single run refers to.
    fn tensorflow_of_run(&self, view: TableView) -> Option<String> {
        let [group] = self.groups.as_slice() else { return None };
        if !self.is_run {
            return None;
        }
        let row = self.rows(view).tensorflow(group)?;
        let seconds = as_given(row.train_s);
        Some(format!("vs TF of this run: time divided by the {seconds} s of {} on {}.", row.tool, row.device))
    }
}

/// The cells of a row; remarks about the row and about its numbers become notes.
fn cells(row: &Row<'_>, rows: &TableRows<'_>, columns: &[&Column], notes: &mut Notes) -> Vec<String> {
    let is_published = matches!(row, Row::Published(_));
    let cell = |column: &&Column| {
        let number = |number, notes: &mut Notes| notes.or_mark(&number, |value| (column.write)(value, is_published));
        match column.cell(row, rows) {
            Cell::Text(text) => text,
            Cell::Number(value) => number(value, notes),
            Cell::Noted(value, note) => (column.write)(value, is_published) + &notes.mark(&note),
            Cell::Labelled(value, label) => format!("{}\n({label})", number(value, notes)),
        }
    };
    let mut cells: Vec<String> = columns.iter().map(cell).collect();
    for remark in row.remarks() {
        cells[0] += &notes.mark(&remark);
    }
    cells
}
