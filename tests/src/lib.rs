//! The lab in which the cell is tested: everything a test needs to build a small internet, real Debian
//! hosts and real Debian kernels on one machine, and to see every packet between them.
//!
//! It owns: namespaces, processes, mounts, images and scratch directories whose name starts with `pict-` or
//! that lie under the build folder. It never changes the machine's own network, services or packages, and
//! never kills a process that it did not start. The kit is tested by `t1_kit_*`, `t2_kit_*` and `t3_kit_*`.
//!
//! Tiers: T1 needs [`netns`] and [`capture`], T2 adds [`nspawn`], T3 adds [`vm`]. All need root.
//!
//! Everything cleans up after itself on drop. What a killed test could not clean, the next one sweeps away
//! (see [`sweep`]); processes do not survive their test at all (see [`process`]).
#![forbid(unsafe_code)]

pub mod capture;
pub mod cell;
pub mod chrony;
pub mod cmd;
pub mod dns;
pub mod echo;
pub mod files;
pub mod footprint;
pub mod image;
pub mod marker;
pub mod netns;
pub mod nspawn;
pub mod openvpn;
pub mod process;
pub mod provider;
pub mod proxies;
pub mod release;
pub mod scratch;
pub mod stage;
pub mod sweep;
pub mod tools;
pub mod tor;
pub mod unique;
pub mod vm;
pub mod wait;

pub use capture::Capture;
pub use footprint::Footprint;
pub use image::Release;
pub use marker::Marker;
pub use netns::Namespace;
pub use netns::internet::Internet;
pub use nspawn::Nspawn;
pub use openvpn::OpenvpnServer;
pub use process::Child;
pub use provider::Provider;
pub use scratch::Scratch;
pub use stage::Stage;
pub use tor::TorNet;
pub use vm::Vm;
