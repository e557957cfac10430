//! One figure of the table.

/// Titles of the columns of [`Figure::line`].
pub(crate) const HEADING: &str = "area   name                                          unit        ours      theirs    ratio     goal      met  peer";

/// A measured value with what it is compared to. Smaller is better unless `floor`.
#[derive(Debug, Default)]
pub(crate) struct Figure {
    pub(crate) area: &'static str,
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    /// What `theirs` was measured on.
    pub(crate) peer: &'static str,
    pub(crate) ours: f64,
    pub(crate) theirs: Option<f64>,
    pub(crate) goal: Option<f64>,
    /// The goal is the least allowed, not the most.
    pub(crate) floor: bool,
}

impl Figure {
    fn ratio(&self) -> Option<f64> {
        self.theirs.filter(|theirs| *theirs > 0.0).map(|theirs| self.ours / theirs)
    }

    fn met(&self) -> Option<bool> {
        self.goal.map(|goal| if self.floor { self.ours >= goal } else { self.ours <= goal })
    }

    /// For people.
    pub(crate) fn line(&self) -> String {
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), short);
        let met = self.met().map_or("-", |met| if met { "yes" } else { "NO" });
        let (ours, theirs, ratio) = (short(self.ours), number(self.theirs), number(self.ratio()));
        let (area, name, unit, goal) = (self.area, self.name, self.unit, number(self.goal));
        format!(
            "{area:<6} {name:<45} {unit:<11} {ours:<9} {theirs:<9} {ratio:<9} {goal:<9} {met:<4} {}",
            self.peer
        )
    }

    /// For programs: one object. The words hold nothing that JSON escapes.
    pub(crate) fn json(&self) -> String {
        let number =
            |value: Option<f64>| value.map_or_else(|| "null".to_owned(), |value| format!("{value:.3}"));
        let met = self.met().map_or_else(|| "null".to_owned(), |met| met.to_string());
        let words = [("area", self.area), ("name", self.name), ("unit", self.unit), ("peer", self.peer)];
        let words = words.map(|(key, word)| format!("\"{key}\":\"{word}\"")).join(",");
        let (ours, theirs) = (number(Some(self.ours)), number(self.theirs));
        let (ratio, goal) = (number(self.ratio()), number(self.goal));
        format!(
            "{{{words},\"ours\":{ours},\"theirs\":{theirs},\"ratio\":{ratio},\"goal\":{goal},\"met\":{met}}}"
        )
    }
}

fn short(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}
