//! A plan that is no longer true when it is to be applied: what happened meanwhile, and how to go on.

use std::io::Write;
use std::path::PathBuf;

use pic_api::problem::{Merged, ProblemDetails};

use crate::exit::Failure;
use crate::out::text::{line, lines};
use crate::{Context, Outcome};

impl Context {
    /// Tells what changed meanwhile. Where both changes go together, the text with both is put into a file: applying
    /// the own text again would undo the other change.
    pub(crate) async fn too_late(&self, problem: Box<ProblemDetails>) -> Failure {
        if self.out.json {
            return Failure::TooLate(problem);
        }
        if let Ok(history) = self.client.history(Some(1)).await
            && let Some(last) = history.value.items.first()
        {
            let (who, why) = (line(&last.author), line(&last.reason));
            self.out.note(&format!("Meanwhile, in generation {}: {who}: {why}", last.number));
        }
        match &problem.merged {
            Some(merged) => match self.put_aside(merged) {
                Ok(path) => self.out.note(&format!(
                    "Both changes together are in {0}. Go on with: picctl apply -f {0}",
                    path.display()
                )),
                Err(failure) => return failure,
            },
            None => self.out.note(
                "Your change does not fit on top of that by itself: look at `picctl config show`, and change again.",
            ),
        }
        Failure::TooLate(problem)
    }

    fn put_aside(&self, merged: &Merged) -> Outcome<PathBuf> {
        self.out.aside(&self.out.note_paint().diff(&lines(&merged.diff)));
        let failed = Failure::file("write the text under", std::env::temp_dir());
        let keep = || {
            // Private, because comments may say more than the settings do.
            let mut file = tempfile::Builder::new().prefix("pic-merged-").suffix(".toml").tempfile()?;
            file.write_all(merged.toml.as_bytes())?;
            file.keep().map(|(_, path)| path).map_err(|error| error.error)
        };
        keep().map_err(failed)
    }
}
