//! Colour: few, by meaning, only where wanted.

use pic_api::status::Health3;

use crate::cli::Color;

/// Whether to colour.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint(bool);

impl Paint {
    /// Decides for one stream. See <https://no-color.org> for NO_COLOR.
    pub(crate) fn of(color: Color, terminal: bool) -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self(match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !dumb && !set("NO_COLOR"),
        })
    }

    /// Never any colour: for files.
    pub(crate) fn off() -> Self {
        Self(false)
    }

    /// Whether colours are on.
    pub(crate) fn on(self) -> bool {
        self.0
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.0 && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.wrap("32", text)
    }

    pub(crate) fn warn(self, text: &str) -> String {
        self.wrap("33", text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.wrap("31", text)
    }

    /// A word in the colour of a state.
    pub(crate) fn state(self, state: Health3, text: &str) -> String {
        match state {
            Health3::Ok => self.good(text),
            Health3::Degraded => self.warn(text),
            Health3::Failed => self.bad(text),
        }
    }

    /// A unified diff.
    pub(crate) fn diff(self, diff: &str) -> String {
        let paint = |line: &str| match line.as_bytes().first() {
            Some(b'+') => self.good(line),
            Some(b'-') => self.bad(line),
            Some(b'@') => self.dim(line),
            _ => line.to_owned(),
        };
        diff.lines().map(|line| paint(line) + "\n").collect()
    }
}

/// The word for a state.
pub(crate) fn word(state: Health3) -> &'static str {
    match state {
        Health3::Ok => "ok",
        Health3::Degraded => "degraded",
        Health3::Failed => "failed",
    }
}
