//! Exits by a proxy.

use pic_api::exit::NewExit;
use pic_model::exit::Kind;
use pic_model::exit::proxy::{self, Protocol};
use pic_model::name::ExitName;
use pic_model::{ProblemCode, chain, config};
use zeroize::{Zeroize, Zeroizing};

use super::{add_file, add_plain};
use crate::host::exits::credentials_for;
use crate::http::call::Call;
use crate::http::failure::{Failure, field, invalid};
use crate::http::reply::Outcome;

/// Makes one; user and password, if there are any, go to the folder of exits.
pub(super) async fn add(
    call: Call,
    protocol: Protocol,
    name: ExitName,
    mut new: NewExit,
    fails_open: Option<bool>,
) -> Outcome {
    let credentials = Zeroizing::new(std::mem::take(&mut new.credentials));
    let refuse = |name: &str, words: String, hint: &str| {
        Err(invalid(vec![field(name, ProblemCode::BadValue, words, hint)]).into())
    };
    if !new.config.is_empty() {
        new.config.zeroize();
        return refuse("config", "a proxy is told without a provider's file".to_owned(), "leave it out");
    }
    let Some(place) = &new.proxy else {
        return refuse(
            "proxy",
            "this is missing".to_owned(),
            "write where the proxy is, as proxy.example.org:1080",
        );
    };
    let mut proxy = match config::proxy::read(protocol, place, new.dns.as_deref()) {
        Ok(proxy) => proxy,
        Err(bad) => return refuse(bad.field, bad.message, bad.hint),
    };
    if credentials.is_empty() {
        return add_plain(call, name, Kind::Proxy(proxy), fails_open).await;
    }
    if let Err(error) = proxy::read(&credentials) {
        return refuse(
            "credentials",
            error.to_string(),
            "write the user in the first line, the password in the second",
        );
    }
    let file = credentials_for(&name).map_err(|error| Failure::internal(chain(&error)))?;
    proxy.credentials = Some(file.clone());
    add_file(call, name, Kind::Proxy(proxy), &file, &credentials, fails_open).await
}
