//! Bodies of the API, as each of its types.

use pic_api::{config, history, operation, peer, problem, status};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What is read can be written, and reads the same.
fn one<T: DeserializeOwned + Serialize>(input: &[u8]) {
    let Ok(value) = serde_json::from_slice::<T>(input) else { return };
    let what = std::any::type_name::<T>();
    let Ok(text) = serde_json::to_vec(&value) else { panic!("{what} reads and cannot be written") };
    match serde_json::from_slice::<T>(&text) {
        Ok(again) => assert_eq!(serde_json::to_vec(&again).ok(), Some(text), "{what} changes by writing"),
        Err(error) => panic!("{what} does not read what it wrote: {error}"),
    }
}

pub(super) fn bodies(input: &[u8]) {
    one::<peer::NewPeer>(input);
    one::<peer::PatchPeer>(input);
    one::<peer::PeerList>(input);
    one::<peer::PeerAdded>(input);
    one::<config::NewConfig>(input);
    one::<config::PatchConfig>(input);
    one::<operation::Confirm>(input);
    one::<operation::Operation>(input);
    one::<history::History>(input);
    one::<history::Diff>(input);
    one::<problem::ProblemDetails>(input);
    one::<status::Status>(input);
}
