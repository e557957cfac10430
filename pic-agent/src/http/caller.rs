//! Who asks, by what the kernel says of the other end of a connection.

use std::fs;

use nix::unistd::{Uid, User};
use pic_engine::Author;
use tokio::net::unix::UCred;

/// The login of a process that nobody logged in for.
const NOBODY: u32 = u32::MAX;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The user that the program runs as; what it may do goes by this.
    pub(crate) user: String,
    /// Whom the history names: `root (anna)` where anna logged in and runs it as root, by sudo or su.
    pub(crate) author: Author,
}

impl Caller {
    pub(crate) fn of(credentials: UCred) -> Self {
        let login = credentials.pid().and_then(login);
        Self::new(credentials.uid(), login, user_name)
    }

    fn new(user: u32, login: Option<u32>, name: impl Fn(u32) -> String) -> Self {
        let login = login.filter(|login| *login != user);
        let user = name(user);
        let author = login.map_or_else(|| user.clone(), |login| format!("{user} ({})", name(login)));
        Self { user, author: Author(author) }
    }

    /// Whether the author of something is this user, by either name.
    pub(crate) fn is_meant(author: &str, user: &str) -> bool {
        let names = author.strip_suffix(')').and_then(|names| names.split_once(" ("));
        author == user || names.is_some_and(|(runs, login)| runs == user || login == user)
    }
}

/// Who logged in for a process. Set once at the login and kept by all that it starts, whatever they become; without a login, as from
/// cron, there is none. That the process may be gone already, and its number another's, does no harm: no right goes by it.
fn login(process: i32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{process}/loginuid")).ok()?;
    text.trim().parse().ok().filter(|login| *login != NOBODY)
}

/// Name of a user, or its number where it has none.
fn user_name(uid: u32) -> String {
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => user.name,
        _ => format!("uid {uid}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_logged_in_is_told_beside_who_it_runs_as() {
        let name = |uid| if uid == 0 { "root".to_owned() } else { format!("user{uid}") };
        let author = |user, login| Caller::new(user, login, name).author.0;
        assert_eq!(author(0, Some(1000)), "root (user1000)");
        assert_eq!(author(1000, Some(1000)), "user1000");
        assert_eq!(author(0, None), "root");
        assert_eq!(Caller::new(0, Some(7), name).user, "root");
    }

    #[test]
    fn an_author_is_found_by_either_name() {
        for user in ["root", "anna", "root (anna)"] {
            assert!(Caller::is_meant("root (anna)", user), "{user}");
        }
        assert!(Caller::is_meant("anna", "anna") && Caller::is_meant("uid 7", "uid 7"));
        assert!(!Caller::is_meant("root (anna)", "ann") && !Caller::is_meant("root", "anna"));
    }
}
