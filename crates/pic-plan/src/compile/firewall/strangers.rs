//! Connections that strangers begin, each source by itself: so many, and what is beyond is dropped.
//!
//! Whoever floods the cell from one address or one network of a provider's customer takes nothing from others. Looked at
//! are only first packets of connections, and never those of an admin. A source is remembered as long as it may be
//! stopped; where there are more of them than the set holds, those beyond are not limited.

use pic_model::limit::Limit;

use super::{FAMILIES, Scope, rule, set_of};
use crate::target::nft::{CT_NEW, Elements, Expr, Is, Meter, Rule};
use crate::target::rule::Family;

/// Why such a packet was dropped: the comment of its rule, by which its counter is found.
pub const TOO_OFTEN: &str = "too often";
/// Why one of them toward the ssh ports was.
pub const TOO_OFTEN_SSH: &str = "ssh too often";

/// Sources are remembered for this long at least, in seconds.
const REMEMBERED: u32 = 120;

/// What is limited apart from the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Knock {
    /// At the ssh ports.
    Ssh,
    /// At anything else.
    Other,
}

impl Knock {
    fn set(self) -> &'static str {
        match self {
            Self::Ssh => "knocks_ssh",
            Self::Other => "knocks",
        }
    }

    fn why(self) -> &'static str {
        match self {
            Self::Ssh => TOO_OFTEN_SSH,
            Self::Other => TOO_OFTEN,
        }
    }

    fn limit(self, scope: &Scope<'_>) -> Option<Limit> {
        match self {
            Self::Ssh => scope.desired.firewall.limit_ssh,
            Self::Other => scope.desired.firewall.limit,
        }
    }
}

/// Sets in which the kernel keeps count.
pub(super) fn sets(scope: &Scope<'_>) -> Vec<(String, Elements)> {
    let one = |knock: Knock| {
        let limit = knock.limit(scope)?;
        let meter = Meter { remembered: limit.recovery().max(REMEMBERED) };
        let set = knock.set();
        Some([(format!("{set}4"), Elements::Meter4(meter)), (format!("{set}6"), Elements::Meter6(meter))])
    };
    [Knock::Ssh, Knock::Other].into_iter().filter_map(one).flatten().collect()
}

/// Drops first packets that come too often among those that `matches` names.
pub(super) fn drops(scope: &Scope<'_>, knock: Knock, matches: &[Expr]) -> Vec<Rule> {
    FAMILIES.into_iter().filter_map(|family| drops_of(scope, knock, family, matches)).collect()
}

/// The same in one family.
pub(super) fn drops_of(scope: &Scope<'_>, knock: Knock, family: Family, matches: &[Expr]) -> Option<Rule> {
    let limit = knock.limit(scope)?;
    let begins = [Expr::Family(family), Expr::CtState(CT_NEW)].into_iter().chain(matches.iter().cloned());
    let is_no_admin = Expr::SourceIn(Is::NotIn, set_of("admin", family));
    let over = Expr::Over(limit, set_of(knock.set(), family));
    Some(rule(knock.why(), begins.chain([is_no_admin, over, Expr::Counter, Expr::Drop])))
}
