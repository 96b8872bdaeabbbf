use super::*;
use std::collections::HashMap;

fn shape_of(state: State) -> Option<&'static Shape> {
    SHAPES.iter().find(|shape| shape.state == state)
}

/// Whether a spot is on the border of a state: of its box, or of a bar of `CLOSED`.
fn on_border(state: State, (x, y): Spot) -> bool {
    let Some(Shape { corner, width, .. }) = shape_of(state) else {
        return BARS.contains(&y) && x < WIDTH;
    };
    let (left, top) = *corner;
    let (right, bottom) = (left + width - 1, top + BOX_HEIGHT - 1);
    let beside = (x == left || x == right) && (top..=bottom).contains(&y);
    let above = (y == top || y == bottom) && (left..=right).contains(&x);
    beside || above
}

fn spots(route: &Route) -> Vec<Spot> {
    let mut spots = vec![route.path[0]];
    for (from, to) in route.pieces() {
        let direction = direction(from, to);
        while spots[spots.len() - 1] != to {
            spots.push(direction.next(spots[spots.len() - 1]));
        }
    }
    spots
}

#[test]
fn every_state_is_drawn_once() {
    for state in State::NAMED.into_iter().filter(|state| *state != State::Closed) {
        assert_eq!(SHAPES.iter().filter(|shape| shape.state == state).count(), 1, "{state}");
    }
}

#[test]
fn every_edge_connects_its_two_states() {
    for (letter, edge, route) in edges() {
        assert!(on_border(edge.from, route.path[0]), "{letter} does not begin at {}", edge.from);
        let (tip, direction) = route.tip();
        assert!(on_border(edge.to, direction.next(tip)), "{letter} does not end at {}", edge.to);
        for (from, to) in route.pieces() {
            assert!((from.0 == to.0) != (from.1 == to.1), "{letter} is crooked");
        }
    }
    assert_eq!(edges().count(), EDGES.len(), "a letter for each");
}

#[test]
fn no_edge_runs_through_a_box_or_along_another_edge() {
    let mut crossings = HashMap::new();
    for (letter, _, route) in edges() {
        let all = spots(route);
        for spot in &all[1..] {
            let inside = SHAPES.iter().find(|shape| {
                let (left, top) = shape.corner;
                (left..left + shape.width).contains(&spot.0)
                    && (top..top + BOX_HEIGHT).contains(&spot.1)
            });
            assert!(inside.is_none(), "{letter} runs through {:?}", inside.unwrap().state);
            crossings.entry(*spot).or_insert_with(Vec::new).push(letter);
        }
    }
    let shared: Vec<_> = crossings.values().filter(|letters| letters.len() > 1).collect();
    assert!(shared.len() <= 3, "{shared:?}");
}

#[test]
fn the_longest_labels_cover_no_line_box_or_other_label() {
    let mut taken: HashMap<Spot, String> = HashMap::new();
    for shape in &SHAPES {
        for x in 0..shape.width {
            for y in 0..BOX_HEIGHT {
                taken.insert((shape.corner.0 + x, shape.corner.1 + y), shape.state.to_string());
            }
        }
    }
    for (letter, _, route) in edges() {
        for spot in spots(route) {
            taken.insert(spot, format!("the line {letter}"));
        }
    }
    for (letter, _, route) in edges() {
        // "a 9999" and "[9999]" are as wide.
        for (x, y) in [route.label, route.certain] {
            assert!(x + 6 <= WIDTH && !BARS.contains(&y), "{letter}");
            for spot in (x..x + 6).map(|x| (x, y)) {
                let other = taken.insert(spot, format!("the label {letter}"));
                assert_eq!(other, None, "the label {letter}");
            }
        }
    }
}
