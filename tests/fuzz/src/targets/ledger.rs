//! The ledger over a damaged disk.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use pic_engine::ledger::Ledger;
use pic_engine::{Author, Disk};

const FOLDER: &str = "/ledger";

#[derive(Debug, Clone, Default)]
struct Memory(Arc<Mutex<BTreeMap<PathBuf, Vec<u8>>>>);

impl Memory {
    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<PathBuf, Vec<u8>>) -> T) -> io::Result<T> {
        Ok(work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Disk for Memory {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        self.with(|files| files.get(path).cloned())
    }

    fn write(&self, path: &Path, content: &[u8], _: u32) -> io::Result<()> {
        self.with(|files| drop(files.insert(path.to_owned(), content.to_vec())))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.with(|files| drop(files.remove(path)))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let name = |path: &PathBuf| Some(path.strip_prefix(folder).ok()?.to_str()?.to_owned());
        self.with(|files| files.keys().filter_map(name).collect())
    }
}

/// The input holds files, each behind a line `=== NAME`.
fn files(input: &[u8]) -> Memory {
    let memory = Memory::default();
    let mut starts: Vec<usize> = (0..input.len()).filter(|at| input[*at..].starts_with(b"=== ")).collect();
    starts.retain(|at| *at == 0 || input[at - 1] == b'\n');
    for (index, start) in starts.iter().enumerate() {
        let end = starts.get(index + 1).copied().unwrap_or(input.len());
        let mut parts = input[start + 4..end].splitn(2, |byte| *byte == b'\n');
        let name = String::from_utf8_lossy(parts.next().unwrap_or_default());
        let content = parts.next().unwrap_or_default();
        if !name.contains(['/', '\0']) {
            let _ = memory.write(&Path::new(FOLDER).join(name.as_ref()), content, 0o600);
        }
    }
    memory
}

/// Opens it, adds to it, opens it again.
pub(super) fn open(input: &[u8]) {
    let memory = files(input);
    let again = || Ledger::open(Box::new(memory.clone()), Path::new(FOLDER), Path::new("/cell.toml"));
    let Ok(mut ledger) = again() else { panic!("a disk that reads, and the ledger does not open") };
    let numbers: Vec<u64> = ledger.entries().map(|entry| entry.number).collect();
    for number in &numbers {
        let Ok(Some(_)) = ledger.text(*number) else {
            panic!("generation {number} is listed and does not read")
        };
        let _ = ledger.record(*number);
    }
    let current = ledger.state().current;
    assert!(current == 0 || numbers.contains(&current), "generation {current} is in force and does not read");
    let said_nothing = ledger.state() == &pic_engine::ledger::State::default();
    let state_file = memory.read(&Path::new(FOLDER).join("state.json")).ok().flatten();
    assert!(
        numbers.is_empty()
            || !said_nothing
            || state_file
                .is_some_and(|bytes| serde_json::from_slice::<pic_engine::ledger::State>(&bytes).is_ok()),
        "there are generations, and the cell starts without one"
    );

    let before = memory.clone().with(|files| files.clone()).unwrap_or_default();
    let Ok(new) = ledger.append(7, &Author("fuzz".to_owned()), "because", "[cell]\nname = \"x\"\n") else {
        return;
    };
    assert!(numbers.iter().all(|number| *number < new), "generation {new} is not the newest of {numbers:?}");
    assert!(
        !before.contains_key(&Path::new(FOLDER).join(format!("{new:06}.toml"))),
        "generation {new} takes another's place"
    );
    let state = pic_engine::ledger::State { current: new, ..ledger.state().clone() };
    assert!(ledger.set_state(state).is_ok());
    ledger.prune();
    let Ok(reread) = again() else { panic!("the ledger does not open again") };
    let facts = |ledger: &Ledger| {
        let state = ledger.state();
        (state.current, state.highest, state.pending.clone())
    };
    assert_eq!(facts(&reread), facts(&ledger), "what was written is not what is read");
    assert!(reread.text(new).is_ok_and(|text| text.is_some()));
}
