//! What was measured, as one table.

use crate::choice::Choice;
use crate::cost::Cost;
use comfy_table::{CellAlignment, Table, presets};
use std::time::Duration;

/// All figures, in the order in which they were measured.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<[String; 5]>,
}

/// A measured number, or why there is none.
type Measured = Result<f64, String>;

impl Report {
    /// What the figures that follow have in common.
    pub(crate) fn section(&mut self, title: &str) {
        let none = String::new;
        if !self.rows.is_empty() {
            self.rows.push([none(), none(), none(), none(), none()]);
        }
        self.rows.push([title.to_owned(), none(), none(), none(), none()]);
    }

    /// One cost as a multiple of another; `asked` is the most that it should be.
    pub(crate) fn ratio(&mut self, what: &str, cost: &Cost, of: &Cost, asked: Option<f64>) {
        let both = cost.clone().and_then(|cost| Ok((cost, of.clone()?)));
        let from = both
            .clone()
            .map_or_else(|_| String::new(), |(cost, of)| format!("{} : {}", span(cost), span(of)));
        let ratio = both.map(|(cost, of)| cost.as_secs_f64() / of.as_secs_f64());
        self.figure(what, &ratio, asked, |ratio| format!("{ratio:.2}"), from);
    }

    /// Memory in bytes.
    pub(crate) fn memory(&mut self, what: &str, bytes: Result<u64, String>, asked: Option<u32>) {
        const MIB: f64 = 1024.0 * 1024.0;
        // Exact to 8 PiB.
        #[allow(clippy::cast_precision_loss)]
        let mib = bytes.map(|bytes| bytes as f64 / MIB);
        let write = |mib: f64| format!("{mib:.0} MiB");
        self.figure(what, &mib, asked.map(f64::from), write, String::new());
    }

    /// A cost that has no peer; `from` says how it was found.
    pub(crate) fn cost(&mut self, what: &str, cost: &Cost, from: String) {
        let seconds = cost.clone().map(|cost| cost.as_secs_f64());
        let write = |seconds| span(Duration::from_secs_f64(seconds));
        self.figure(what, &seconds, None, write, from);
    }

    fn figure(
        &mut self,
        what: &str,
        measured: &Measured,
        asked: Option<f64>,
        write: impl Fn(f64) -> String,
        from: String,
    ) {
        let (shown, verdict, from) = match (measured, asked) {
            (Err(why), _) => ("-".to_owned(), "", format!("not measured: {why}")),
            (Ok(number), None) => (write(*number), "", from),
            (Ok(number), Some(most)) if *number <= most => (write(*number), "reached", from),
            (Ok(number), Some(_)) => (write(*number), "missed", from),
        };
        let asked = asked.map_or_else(String::new, |most| format!("≤ {}", write(most)));
        self.rows.push([format!("  {what}"), shown, asked, verdict.to_owned(), from]);
    }

    /// The table, with what it was measured on and how.
    pub(crate) fn text(&self, choice: &Choice) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["FIGURE", "MEASURED", "ASKED", "", "FROM"]);
        table.add_rows(&self.rows);
        for column in [1, 2] {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let lines = table.lines().map(|line| line.trim_end().to_owned());
        let machine = machine();
        let Choice { sockets, rounds } = choice;
        format!(
            "{}\n\n{machine}; {sockets} sockets. CPU time is user and system time, of {rounds} runs \
             turn by turn the least.\n",
            lines.collect::<Vec<_>>().join("\n")
        )
    }
}

fn machine() -> String {
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let name = rustix::system::uname();
    let (system, release) = (name.sysname().to_string_lossy(), name.release().to_string_lossy());
    format!("{cpus} CPUs, {system} {release}")
}

/// Three digits and a unit.
fn span(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        1.0.. => format!("{seconds:.2} s"),
        0.1.. => format!("{seconds:.3} s"),
        0.01.. => format!("{:.1} ms", seconds * 1e3),
        0.001.. => format!("{:.2} ms", seconds * 1e3),
        _ => format!("{:.1} µs", seconds * 1e6),
    }
}
