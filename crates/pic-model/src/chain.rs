//! Errors as one line.

use std::error::Error;

/// The error and everything beneath it, each said once.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        // Some libraries repeat their cause in their own words.
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Told {
        #[error("the end")]
        End,
        #[error("cannot begin")]
        Begin(#[source] Box<Told>),
        #[error("failed: {0}")]
        Repeats(#[source] Box<Told>),
    }

    #[test]
    fn each_cause_is_said_once() {
        assert_eq!(chain(&Told::Begin(Box::new(Told::End))), "cannot begin: the end");
        assert_eq!(chain(&Told::Repeats(Box::new(Told::End))), "failed: the end");
    }
}
