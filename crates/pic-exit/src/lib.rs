//! Exits that are programs on this host: Debian's `tor` and `openvpn`, and a relay of our own to a proxy of others. This keeps
//! them running with what follows from the agent's snapshot, and says how they are. Runs without the agent, and without power
//! but for the interface of an exit by OpenVPN, which it makes ([`openvpn::device`]).
//!
//! [`proxy`] is the relay: unit tests, fuzz (`proxy-dialogue`), and namespaces with proxies of others
//! (`tests/tests/t1_proxy.rs`). Flow of the others: snapshot + template → [`tor::render`], [`openvpn::render`] → the program as
//! a child → its control socket → [`tor::report`], [`openvpn::report`] (its words) → the file by which the agent knows whether
//! the exit works. They say what is their own beside the loop of [`pic_service::program`]. Tested by unit tests, fuzz
//! (`tor-report`, `openvpn-report`), and in namespaces with real relays (`tests/tests/t1_tor.rs`) and real servers
//! (`t1_openvpn.rs`).
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod inputs;
pub mod openvpn;
pub mod proxy;
pub mod tor;
