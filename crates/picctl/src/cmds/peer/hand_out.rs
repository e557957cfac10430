//! A client's configuration on its way to the device: as text, as a file, as a QR code.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use pic_api::peer::Peer;
use pic_model::key::PrivateKey;
use zeroize::Zeroizing;

use super::TunnelArg;
use crate::cmds::read_text;
use crate::exit::{Exit, Failure};
use crate::out::qr::{Qr as Code, SCAN};
use crate::out::text;
use crate::save::Place;
use crate::{Context, Outcome};

/// How a QR code is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// An image.
    Png,
    /// A drawing.
    Svg,
    /// Characters, for a terminal.
    Text,
    /// Not at all.
    None,
}

/// Where a configuration goes.
#[derive(Debug, Args)]
pub(super) struct Handing {
    /// Write the configuration into this file (mode 0600) instead of printing it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How to draw the QR code. Without it: as text on a terminal unless --out is given, otherwise not at all.
    #[arg(long, value_name = "HOW")]
    qr: Option<Format>,
    /// Write the QR code into this file (mode 0600). Without it, PNG and SVG go to NAME.png and NAME.svg.
    #[arg(long, value_name = "FILE", requires = "qr")]
    qr_out: Option<PathBuf>,
    /// Replace files that exist.
    #[arg(long)]
    force: bool,
}

/// Files taken and forms chosen, before the configuration exists.
pub(super) struct Places {
    file: Option<Place>,
    format: Format,
    qr_file: Option<Place>,
    print: bool,
}

impl Handing {
    /// Chooses and takes the places.
    pub(super) fn take_places(&self, context: &Context, name: &str, own_key: bool) -> Outcome<Places> {
        if own_key && !matches!(self.qr, None | Some(Format::None)) {
            let words = "a QR code would lack the private key of a device that has its own; leave --qr out";
            return Err(Failure::Usage(words.to_owned()));
        }
        let format = self.format(context, own_key);
        let take = |path: &Path| Place::take(path, self.force);
        Ok(Places {
            file: self.out.as_deref().map(take).transpose()?,
            format,
            qr_file: self.qr_path(format, name)?.as_deref().map(take).transpose()?,
            print: self.out.is_none() && !context.out.json,
        })
    }

    fn format(&self, context: &Context, own_key: bool) -> Format {
        // Who wants a file has no use for the private key on the screen.
        let is_shown = context.out.is_terminal() && self.out.is_none() && !own_key;
        let wanted = if is_shown { Format::Text } else { Format::None };
        match self.qr.unwrap_or(wanted) {
            // On stdout a --json document stands alone.
            Format::Text if context.out.json && self.qr_out.is_none() => Format::None,
            format => format,
        }
    }

    fn qr_path(&self, format: Format, name: &str) -> Outcome<Option<PathBuf>> {
        let ending = match format {
            Format::None => return Ok(None),
            _ if self.qr_out.is_some() => return Ok(self.qr_out.clone()),
            Format::Text => return Ok(None),
            Format::Png => "png",
            Format::Svg => "svg",
        };
        // The name becomes a file's name here, before the agent has judged it.
        let name: pic_model::name::PeerName = name.parse().map_err(|error| {
            Failure::Usage(format!("\"{}\" is no name for a peer: {error}", text::line(name)))
        })?;
        Ok(Some(format!("{name}.{ending}").into()))
    }
}

impl Places {
    /// Puts a configuration where it belongs. The file is first: it is the whole of it. What is to be scanned from the terminal is
    /// left to be shown last.
    pub(super) fn write(self, context: &Context, config: &str) -> Outcome<ToScan> {
        if let Some(place) = self.file {
            let path = place.fill(config.as_bytes())?;
            context.out.note(&format!("Configuration written to {}", path.display()));
        }
        let code = draw(context, self.format, self.qr_file, config)?;
        if self.print {
            context.out.text(config)?;
        }
        Ok(code)
    }
}

/// A code for the terminal, drawn and not shown yet: nothing long may follow it, or it scrolls away.
pub(super) struct ToScan(Option<Zeroizing<String>>);

impl ToScan {
    /// Shows it, and what to do with it below.
    pub(super) fn show(self, context: &Context) -> Outcome<()> {
        let Some(code) = self.0 else { return Ok(()) };
        context.out.text(&code)?;
        if context.out.is_terminal() {
            context.out.note(SCAN);
        }
        Ok(())
    }
}

fn draw(context: &Context, format: Format, file: Option<Place>, config: &str) -> Outcome<ToScan> {
    if format == Format::None {
        return Ok(ToScan(None));
    }
    let code = Code::new(config)?;
    let Some(place) = file else {
        return Ok(ToScan(Some(Zeroizing::new(code.text(context.out.paint)))));
    };
    let bytes = match format {
        Format::Png => code.png()?,
        Format::Svg => code.svg().into_bytes(),
        Format::Text | Format::None => code.text(crate::out::paint::Paint::off()).into_bytes(),
    };
    let path = place.fill(&bytes)?;
    context.out.note(&format!("QR code written to {}", path.display()));
    Ok(ToScan(None))
}

/// Arguments of `picctl peer config`.
#[derive(Debug, Args)]
pub(crate) struct Config {
    /// Its name.
    name: String,
    /// What the device sends into the tunnel.
    #[arg(long, value_name = "WHICH", default_value = "full")]
    tunnel: TunnelArg,
    /// Fill in the device's private key from this file; `-` is stdin. It does not leave this program.
    #[arg(long, value_name = "FILE")]
    private_key_file: Option<PathBuf>,
    /// Write the configuration into this file (mode 0600) instead of printing it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace a file that exists.
    #[arg(long)]
    force: bool,
}

/// Arguments of `picctl peer qr`.
#[derive(Debug, Args)]
pub(crate) struct Qr {
    /// Its name.
    name: String,
    /// The device's private key; `-` is stdin. It does not leave this program.
    #[arg(long, value_name = "FILE")]
    private_key_file: Option<PathBuf>,
    /// What the device sends into the tunnel.
    #[arg(long, value_name = "WHICH", default_value = "full")]
    tunnel: TunnelArg,
    /// How to draw the QR code.
    #[arg(long = "qr", value_name = "HOW", default_value = "text")]
    format: Format,
    /// Write the QR code into this file (mode 0600). Without it, PNG and SVG go to NAME.png and NAME.svg.
    #[arg(long, value_name = "FILE")]
    qr_out: Option<PathBuf>,
    /// Replace a file that exists.
    #[arg(long)]
    force: bool,
}

pub(super) async fn config(context: &Context, args: Config) -> Outcome {
    let answer = context.client.peer_config(&args.name, args.tunnel.into()).await?;
    if context.out.json {
        context.out.document(&answer.json)?;
        return Ok(Exit::Done);
    }
    let config = Zeroizing::new(match &args.private_key_file {
        Some(file) => with_key(context, &args.name, &answer.value.config, file).await?,
        None => answer.value.config,
    });
    match &args.out {
        Some(path) => {
            let path = Place::take(path, args.force)?.fill(config.as_bytes())?;
            context.out.note(&format!("Configuration written to {}", path.display()));
        }
        None => context.out.text(&config)?,
    }
    Ok(Exit::Done)
}

pub(super) async fn qr(context: &Context, args: Qr) -> Outcome {
    let Some(key) = &args.private_key_file else {
        return Err(Failure::Usage(format!(
            "the cell does not know the private key of \"{0}\", and a QR code without it is of no use; give it by \
             --private-key-file, or make the device anew: `picctl peer remove {0}`, `picctl peer add {0}`",
            text::line(&args.name)
        )));
    };
    let answer = context.client.peer_config(&args.name, args.tunnel.into()).await?;
    let config = Zeroizing::new(with_key(context, &args.name, &answer.value.config, key).await?);
    let handing = Handing { out: None, qr: Some(args.format), qr_out: args.qr_out, force: args.force };
    let mut places = handing.take_places(context, &args.name, false)?;
    places.print = false;
    places.write(context, &config)?.show(context)?;
    Ok(Exit::Done)
}

/// The configuration with the device's private key in it, if the key is the device's.
async fn with_key(context: &Context, name: &str, config: &str, file: &Path) -> Outcome<String> {
    let text = Zeroizing::new(read_text(file)?);
    let refused = |error: &str| Failure::Usage(format!("{}: {error}", file.display()));
    let key = PrivateKey::parse(text.trim()).map_err(|error| refused(&error.to_string()))?;
    let peer: Peer = context.client.peer(name).await?.value;
    if key.public() != peer.public_key {
        return Err(refused(&format!("this is not the private key of {}", peer.name)));
    }
    Ok(fill_in(config, &key.expose_base64()))
}

/// Replaces the line that speaks of the private key, or adds one.
fn fill_in(config: &str, key: &str) -> String {
    let mut out = String::with_capacity(config.len() + 64);
    for line in config.lines().filter(|line| !line.contains("PrivateKey")) {
        out.push_str(line);
        out.push('\n');
        if line.trim() == "[Interface]" {
            out.push_str(&format!("PrivateKey = {key}\n"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_takes_its_place() {
        let config = "[Interface]\n# PrivateKey = (the device's own)\nAddress = 10.77.0.2/32\n\n[Peer]\nPublicKey = x\n";
        let want = "[Interface]\nPrivateKey = K\nAddress = 10.77.0.2/32\n\n[Peer]\nPublicKey = x\n";
        assert_eq!(fill_in(config, "K"), want);
    }
}
