//! Killed in the middle: afterwards the old state or the new one, on disk and in the kernel, and never a third.

use std::time::Duration;

use nix::sys::signal::Signal;
use pic_api::client::Wait;
use pic_api::peer::NewPeer;

use crate::stage::{on_a_host, run};

#[test]
fn old_or_new_at_every_moment() {
    on_a_host(|stage| {
        let mut agent = stage.agent();
        let (mut kept, mut lost) = (0, 0);
        for round in 0..25_u64 {
            let name = format!("p{round}");
            let peer: NewPeer = serde_json::from_str(&format!("{{\"name\":\"{name}\"}}")).unwrap();
            let pid = nix::unistd::Pid::from_raw(i32::try_from(agent.pid()).unwrap());
            let killer = std::thread::spawn(move || {
                std::thread::park_timeout(Duration::from_millis(round * 4));
                nix::sys::signal::kill(pid, Signal::SIGKILL).unwrap();
            });
            let answer = agent.ask(async |client| client.add_peer(&peer, Wait::Settled).await);
            killer.join().unwrap();
            agent.signal(Signal::SIGKILL);
            std::mem::forget(agent);
            agent = stage.agent();

            let status = agent.ask(async |client| client.status().await).unwrap().value;
            assert_eq!(status.pending, None);
            let shown = agent.ask(async |client| client.peer(&name).await).map(|peer| peer.value);
            let device = run("wg show pic0 allowed-ips");
            let table = run("nft list set inet pic internet4");
            match shown {
                Ok(peer) => {
                    kept += 1;
                    assert!(device.contains(&format!("{}/32", peer.address)), "{device}");
                    assert!(table.contains(&peer.address.to_string()), "{table}");
                }
                Err(_) => {
                    lost += 1;
                    assert!(answer.is_err(), "{name} was acknowledged and is lost");
                }
            }
            assert_eq!(device.lines().count(), status.wireguard.peers, "{device}");
            let file = std::fs::read_to_string(stage.at("cell.toml")).unwrap();
            let config = agent.ask(async |client| client.config().await).unwrap().value;
            assert_eq!((file, config.edited), (config.toml, false));
        }
        assert!(kept > 0 && lost > 0, "{kept} kept, {lost} lost: the moments were badly chosen");
        agent.signal(Signal::SIGTERM);
        assert!(stage.call("teardown").0);
    });
}
