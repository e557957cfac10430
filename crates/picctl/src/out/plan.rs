//! A plan in words.

use pic_api::operation::Plan;

use super::paint::Paint;
use super::text::{count, line, lines};

/// More steps than this are summed up.
const SHOWN: usize = 20;

/// Whether a plan changes nothing at all, not even the text.
pub(crate) fn is_empty(plan: &Plan) -> bool {
    plan.total == 0 && plan.diff.is_empty()
}

/// What a plan does, why it is risky, and what it changes in the file.
pub(crate) fn words(plan: &Plan, paint: Paint) -> String {
    if is_empty(plan) {
        return "Nothing to change.\n".to_owned();
    }
    let mut out = String::new();
    if !plan.diff.is_empty() {
        out.push_str(&paint.diff(&lines(&plan.diff)));
        out.push('\n');
    }
    out.push_str(&paint.bold(&match plan.total {
        0 => "The host stays as it is; only the file changes.".to_owned(),
        total => format!("{}:", count(total, "step")),
    }));
    out.push('\n');
    for step in plan.steps.iter().take(SHOWN) {
        let why =
            if step.why.is_empty() { String::new() } else { paint.dim(&format!("  ({})", line(&step.why))) };
        out.push_str(&format!("  {:<10} {}{why}\n", line(&step.domain), line(&step.words)));
    }
    let shown = plan.steps.len().min(SHOWN);
    if plan.total > shown {
        out.push_str(&format!("  … and {} more (--json lists them)\n", plan.total - shown));
    }
    for grant in &plan.grants {
        out.push_str(&format!("  {}\n", line(grant)));
    }
    for note in &plan.notes {
        out.push_str(&format!("{} {}\n", paint.bold("Mind:"), line(note)));
    }
    for risk in &plan.risks {
        out.push_str(&format!("{} {}\n", paint.warn("Risk:"), line(risk)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Color;
    use pic_api::operation::Step;

    #[test]
    fn long_plans_are_summed_up() {
        let step = Step { domain: "wireguard".into(), words: "add\nphone".into(), why: "peer[0]".into() };
        let plan = Plan { steps: vec![step; 25], total: 1200, risks: vec!["ssh".into()], ..Plan::default() };
        let text = words(&plan, Paint::of(Color::Never, false));
        assert!(text.starts_with("1200 steps:\n  wireguard  add\\nphone  (peer[0])\n"), "{text}");
        assert!(text.ends_with("  … and 1180 more (--json lists them)\nRisk: ssh\n"), "{text}");
        assert_eq!(words(&Plan::default(), Paint::of(Color::Never, false)), "Nothing to change.\n");
    }
}
