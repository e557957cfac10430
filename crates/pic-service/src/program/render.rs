//! A program's configuration from a template: its values are typed before they come here, so that none can be a directive.

pub use minijinja::context;
use minijinja::value::Value;
use minijinja::{Environment, UndefinedBehavior};

/// What a template may cost: one that loops or grows without end is ended.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Steps that it takes.
    pub steps: u64,
    /// Bytes that it makes.
    pub bytes: usize,
}

/// Why a template gives no configuration.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The template is wrong.
    #[error("line {line}: {words}")]
    Template {
        /// In the template, 0 if unknown.
        line: usize,
        /// What, in the template engine's words.
        words: String,
    },
    /// It grew without end.
    #[error("it makes more than {} KiB", .limit >> 10)]
    Large {
        /// Bytes.
        limit: usize,
    },
}

/// The whole configuration.
///
/// # Errors
/// The template's.
pub fn render(template: &str, values: Value, limits: Limits) -> Result<String, RenderError> {
    let mut environment = Environment::empty();
    environment.add_filter("length", minijinja::filters::length);
    environment.add_filter("join", minijinja::filters::join);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(limits.steps));
    let text = environment.render_str(template, values).map_err(|error| RenderError::Template {
        line: error.line().unwrap_or(0),
        words: error.kind().to_string(),
    })?;
    // The engine drops the last newline of a template.
    if text.len() < limits.bytes { Ok(text + "\n") } else { Err(RenderError::Large { limit: limits.bytes }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_that_is_wrong_or_without_end_says_so() {
        let limits = Limits { steps: 2_000, bytes: 1 << 10 };
        let values = || context! { clients => vec!["a", "b"] };
        let error = |text: &str| render(text, values(), limits).unwrap_err().to_string();
        assert_eq!(render("{{ clients|join(' ') }}\n", values(), limits).unwrap(), "a b\n");
        assert!(error("a\n{{ nonsense }}").starts_with("line 2: "));
        assert!(error("{% for x in clients %}").starts_with("line 1: "));
        assert!(error(&"a".repeat(1 << 10)).contains("more than 1 KiB"));
        let endless = "{% for a in clients %}".repeat(12) + &"{% endfor %}".repeat(12);
        assert!(error(&endless).starts_with("line "));
    }
}
