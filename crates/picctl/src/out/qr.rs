//! A client's configuration as a QR code: on a terminal, as SVG, as PNG.

use qrcode::render::{svg, unicode};
use qrcode::{Color, EcLevel, QrCode};

use super::paint::Paint;
use crate::exit::Failure;

/// Light modules around the code that readers need (ISO/IEC 18004: four).
const QUIET: usize = 4;
/// Pixels per module in a PNG.
const SCALE: usize = 8;

/// What to do with a code on a terminal; one line of 80 columns below it.
pub(crate) const SCAN: &str =
    "Scan this in the WireGuard app (\"+\"). Is it cut off? Make the window taller.";

/// A code, ready to be drawn.
pub(crate) struct Qr(QrCode);

impl Qr {
    /// Encodes a text. The lowest correction level makes the smallest code, and a screen has no stains.
    pub(crate) fn new(text: &str) -> Result<Self, Failure> {
        let code = QrCode::with_error_correction_level(text.trim_end(), EcLevel::L);
        code.map(Self).map_err(|error| Failure::Words(format!("this does not fit a QR code: {error}")))
    }

    /// Columns it takes on a terminal.
    pub(crate) fn columns(&self) -> usize {
        self.0.width() + 2 * QUIET
    }

    /// Half blocks, light on dark. With colour the two are fixed, so that a light terminal shows it right, too.
    pub(crate) fn text(&self, paint: Paint) -> String {
        let blocks = self
            .0
            .render::<unicode::Dense1x2>()
            .dark_color(unicode::Dense1x2::Light)
            .light_color(unicode::Dense1x2::Dark)
            .quiet_zone(true)
            .build();
        let frame =
            |line: &str| if paint.on() { format!("\x1b[97;40m{line}\x1b[0m\n") } else { format!("{line}\n") };
        blocks.lines().map(frame).collect()
    }

    /// An SVG document.
    pub(crate) fn svg(&self) -> String {
        self.0.render::<svg::Color<'_>>().min_dimensions(320, 320).quiet_zone(true).build()
    }

    /// A PNG of one bit per pixel.
    pub(crate) fn png(&self) -> Result<Vec<u8>, Failure> {
        let side = self.columns() * SCALE;
        let failed = |error: png::EncodingError| Failure::Words(format!("the PNG cannot be made: {error}"));
        let pixels =
            u32::try_from(side).map_err(|_| Failure::Words("the QR code is too large".to_owned()))?;
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, pixels, pixels);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::One);
        let mut writer = encoder.write_header().map_err(failed)?;
        writer.write_image_data(&self.bits(side)).map_err(failed)?;
        writer.finish().map_err(failed)?;
        Ok(out)
    }

    /// Rows of bits, 1 is light.
    fn bits(&self, side: usize) -> Vec<u8> {
        let stride = side.div_ceil(8);
        let mut bits = vec![0; stride * side];
        for y in 0..side {
            for x in (0..side).filter(|x| !self.is_dark(x / SCALE, y / SCALE)) {
                bits[y * stride + x / 8] |= 0x80 >> (x % 8);
            }
        }
        bits
    }

    /// Whether a module is dark, counted with the quiet zone.
    fn is_dark(&self, x: usize, y: usize) -> bool {
        let inside = |at: usize| (QUIET..QUIET + self.0.width()).contains(&at);
        inside(x) && inside(y) && self.0[(x - QUIET, y - QUIET)] == Color::Dark
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// About the longest configuration there is.
    fn config() -> String {
        let key = "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=";
        format!(
            "[Interface]\nPrivateKey = {key}\nAddress = 10.77.0.2/32, fd12:3456:789a:1::2/128\n\
             DNS = 10.77.0.1, fd12:3456:789a:1::1\nMTU = 1420\n\n[Peer]\nPublicKey = {key}\nPresharedKey = {key}\n\
             Endpoint = vpn.home.example.org:51820\nAllowedIPs = 0.0.0.0/0, ::/0\nPersistentKeepalive = 25\n"
        )
    }

    /// What a camera would read.
    fn scan(side: usize, dark: impl Fn(usize, usize) -> bool) -> String {
        let mut image =
            rqrr::PreparedImage::prepare_from_greyscale(side, side, |x, y| if dark(x, y) { 0 } else { 255 });
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1);
        grids[0].decode().unwrap().1
    }

    #[test]
    fn the_png_scans() {
        let qr = Qr::new(&config()).unwrap();
        let png = qr.png().unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(&png)).read_info().unwrap();
        let mut bits = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut bits).unwrap();
        let side = qr.columns() * SCALE;
        assert_eq!(reader.info().width as usize, side);
        let read = scan(side, |x, y| bits[y * side.div_ceil(8) + x / 8] & (0x80 >> (x % 8)) == 0);
        assert_eq!(read, config().trim_end());
    }

    #[test]
    fn the_text_scans_and_fits_eighty_columns() {
        let qr = Qr::new(&config()).unwrap();
        assert!(qr.columns() <= 80, "{}", qr.columns());
        let text = qr.text(Paint::off());
        let rows: Vec<Vec<char>> = text.lines().map(|line| line.chars().collect()).collect();
        assert!(rows.iter().all(|row| row.len() == qr.columns()));
        // Blocks shine on a dark terminal. Each module four pixels wide, as a camera sees it.
        let read = scan(qr.columns() * 4, |x, y| match rows[y / 8][x / 4] {
            '█' => false,
            '▀' => (y / 4) % 2 == 1,
            '▄' => (y / 4) % 2 == 0,
            _ => true,
        });
        assert_eq!(read, config().trim_end());
        assert!(
            qr.text(Paint::of(crate::cli::Color::Always, false))
                .lines()
                .all(|line| line.ends_with("\x1b[0m"))
        );
    }

    #[test]
    fn the_svg_is_one_and_long_texts_are_refused() {
        assert!(Qr::new("hello").unwrap().svg().starts_with("<?xml"));
        assert!(Qr::new(&"x".repeat(4000)).is_err());
    }
}
