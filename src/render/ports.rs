//! The table of `check --ports`: how many local ports are in use towards which remote end.

use super::Renderer;
use super::cell::{Names, endpoint};
use super::style::Palette;
use crate::model::socket::Endpoint;
use crate::view::Record;
use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Table};

const HEADINGS: [&str; 6] = ["LOCAL", "REMOTE", "USED", "TIME_WAIT", "AVAILABLE", "PERCENT"];
/// The columns of numbers begin here.
const NUMBERS: usize = 2;

/// Lays the rows out once all are known.
#[derive(Debug)]
pub(crate) struct PortTable {
    palette: Palette,
    header: bool,
    rows: Vec<[String; 6]>,
}

impl PortTable {
    /// An empty one; `header`: a line that names the columns.
    pub(crate) const fn new(palette: Palette, header: bool) -> Self {
        Self { palette, header, rows: Vec::new() }
    }
}

impl Renderer for PortTable {
    fn rows(&mut self, records: &[Record], names: &Names) -> Vec<u8> {
        self.rows.extend(records.iter().filter_map(|record| {
            let Record::Ports(ports) = record else { return None };
            let remote = Endpoint { addr: ports.remote_addr, port: ports.remote_port };
            Some([
                ports.local_addr.to_string(),
                endpoint(remote, names),
                ports.used.to_string(),
                ports.time_wait.to_string(),
                ports.available.to_string(),
                format!("{:.1}", ports.percent),
            ])
        }));
        Vec::new()
    }

    fn rest(&mut self) -> Option<Vec<u8>> {
        let rows = std::mem::take(&mut self.rows);
        if rows.is_empty() {
            return None;
        }
        let mut table = Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        table.set_content_arrangement(ContentArrangement::Disabled);
        if self.palette.on {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        let cell = |(place, text): (usize, &str)| {
            let right = place >= NUMBERS;
            let alignment = if right { CellAlignment::Right } else { CellAlignment::Left };
            Cell::new(text).set_alignment(alignment)
        };
        if self.header {
            let bold = |cell: Cell| cell.add_attribute(Attribute::Bold);
            table.set_header(HEADINGS.into_iter().enumerate().map(|at| bold(cell(at))));
        }
        for row in &rows {
            table.add_row(row.iter().map(String::as_str).enumerate().map(cell));
        }
        for (place, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, if place + 1 == HEADINGS.len() { 0 } else { 2 }));
        }
        Some((table.trim_fmt() + "\n").into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Stamp;
    use crate::view::port_usage::PortRecord;

    #[test]
    fn ports_are_a_table() {
        let ports = PortRecord {
            time: Stamp::default(),
            netns: None,
            local_addr: [10, 0, 0, 1].into(),
            remote_addr: [10, 0, 0, 2].into(),
            remote_port: 80,
            used: 24_000,
            time_wait: 23_990,
            available: 28_232,
            percent: 85.0,
        };
        let mut table = PortTable::new(Palette { on: false }, true);
        assert!(table.rows(&[Record::Ports(Box::new(ports))], &Names::default()).is_empty());
        assert_eq!(
            String::from_utf8(table.rest().expect("a table")).expect("text"),
            "LOCAL     REMOTE        USED  TIME_WAIT  AVAILABLE  PERCENT\n\
             10.0.0.1  10.0.0.2:80  24000      23990      28232     85.0\n"
        );
        assert_eq!(table.rest(), None);
    }
}
