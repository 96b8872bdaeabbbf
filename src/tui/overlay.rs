//! What covers the table: the help, what `explain` says of a state, the state diagram.

use super::Top;
use super::dialog::OverlayKind;
use super::paint::Painter;
use crate::render::cell::Names;
use crate::render::diagram::{DiagramFormat, DiagramRenderer};
use crate::render::style::Palette;
use crate::render::{Renderer, Size, explain};
use crate::tcp::state::State;
use crate::view::Record;
use ratatui::layout::Rect;

const HELP: &str = "\
arrows, hjkl, PgUp, PgDn, Home, End   select a socket
/         filter as you type: nginx state:CLOSE_WAIT remote:10.0.0.0/8 local::80 port:443 pid:812
s, S      sort by another column; in the other direction; so does a click on a heading
g, Enter  group by process, unit, container, pod, remote address, local port, state; show the sockets
          of a group
space     pause: what happens meanwhile is counted
t         show closed sockets for a while, or not
e         explain the state of the selected socket
d         the state diagram with counts
y         copy the selected line (OSC 52)
w         write the sockets that are shown to a file, as JSON Lines
left, right   on a recording: to the previous or next event
[, ]      a minute back or forward
<, >      to the beginning or the end
q, Esc    quit";

impl Top {
    pub(super) fn draw_overlay(
        &mut self,
        painter: &mut Painter<'_>,
        area: Rect,
        kind: OverlayKind,
    ) {
        let text = self.overlay_text(kind, area.width.into());
        let lines: Vec<&str> = text.lines().collect();
        let first = self.dialog.scroll(lines.len(), area.height.into());
        painter.put_lines(area, lines.into_iter().skip(first));
    }

    /// The state of the selected socket, or of all sockets of the selected group.
    fn selected_state(&self) -> Option<State> {
        if let Some(group) = self.lines.selected_group() {
            let mut states = group.states.keys();
            return states.next().copied().filter(|_| states.next().is_none());
        }
        self.selected_row().map(|row| row.status.state)
    }

    fn overlay_text(&self, kind: OverlayKind, width: usize) -> String {
        let palette = Palette { on: false };
        match kind {
            OverlayKind::Help => HELP.to_owned(),
            OverlayKind::Explain => match self.selected_state() {
                Some(state) => explain::state(state, palette, width.max(20)),
                None => "no state is selected".to_owned(),
            },
            OverlayKind::Diagram => {
                let mut renderer = DiagramRenderer { format: DiagramFormat::Text, palette, width };
                let size = Size { columns: width, rows: usize::MAX };
                let record = [Record::Diagram(Box::new(self.contents.diagram()))];
                renderer.frame(&record, &Names::default(), size).join("\n")
            }
        }
    }
}
