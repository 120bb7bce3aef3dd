//! Gzip, unpacked as it is read: several members one after the other, too, as `cat *.gz` makes them.
//!
//! An error names the byte of the packed file at which it showed, since that is all that can be looked at. What one
//! member unpacks to is limited: a bomb ends with a message and not with the machine.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use flate2::bufread::GzDecoder;

/// What one member may unpack to. A log file of CloudTrail's has some 50 MB.
const LARGEST_MEMBER: u64 = 2 << 30;

const MAGIC: [u8; 2] = [0x1F, 0x8B];

/// The bytes as they are, or what they unpack to if they are gzip.
pub fn unpacked<'a>(mut bytes: impl Read + 'a) -> Box<dyn Read + 'a> {
    let mut start = Vec::with_capacity(MAGIC.len());
    if let Err(error) = bytes.by_ref().take(MAGIC.len() as u64).read_to_end(&mut start) {
        return Box::new(Failing(Some(error)));
    }
    let is_gzip = start == MAGIC;
    let bytes = Cursor::new(start).chain(bytes);
    if is_gzip { Box::new(Members::new(BufReader::new(bytes), LARGEST_MEMBER)) } else { Box::new(bytes) }
}

/// What somebody else sends, up to so many bytes after unpacking: a small file can unpack to more than anybody waits for.
pub struct AtMost<R> {
    reader: R,
    most: u64,
    left: u64,
}

impl<R: Read> AtMost<R> {
    pub fn new(reader: R, most: u64) -> Self {
        Self { reader, most, left: most }
    }
}

impl<R: Read> Read for AtMost<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(into)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| {
            io::Error::other(format!(
                "this holds more than {} MiB, unpacked; reading stops here. What came before was taken: send the rest in parts.",
                self.most >> 20
            ))
        })?;
        Ok(count)
    }
}

/// A reader that could not even begin.
struct Failing(Option<io::Error>);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// Counts what has been consumed.
struct Counted<R> {
    reader: R,
    count: u64,
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(into)?;
        self.count += count as u64;
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }
    fn consume(&mut self, count: usize) {
        self.reader.consume(count);
        self.count += count as u64;
    }
}

/// The members of a gzip file, as one stream.
struct Members<R: BufRead> {
    member: Option<GzDecoder<Counted<R>>>,
    unpacked: u64,
    limit: u64,
}

impl<R: BufRead> Members<R> {
    fn new(reader: R, limit: u64) -> Self {
        Self { member: Some(GzDecoder::new(Counted { reader, count: 0 })), unpacked: 0, limit }
    }

    /// At the end of a member: the next one, if there is one.
    fn turn(&mut self) -> io::Result<()> {
        let Some(member) = self.member.take() else { return Ok(()) };
        let mut rest = member.into_inner();
        loop {
            let (begins, zeros) = {
                let bytes = rest.fill_buf()?;
                (bytes.first().copied(), bytes.iter().take_while(|byte| **byte == 0).count())
            };
            match begins {
                None => return Ok(()),
                // Archives on tape are filled up with zeros, and gzip reads past them.
                Some(0) => rest.consume(zeros),
                Some(byte) if byte == MAGIC[0] => {
                    self.unpacked = 0;
                    self.member = Some(GzDecoder::new(rest));
                    return Ok(());
                }
                Some(_) => {
                    return Err(io::Error::other(format!(
                        "byte {}: behind the gzip data stands something that is no gzip data. What comes before it was read whole.",
                        rest.count
                    )));
                }
            }
        }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            match member.read(into) {
                Ok(0) if !into.is_empty() => self.turn()?,
                Ok(count) => {
                    self.unpacked += count as u64;
                    if self.unpacked > self.limit {
                        let at = member.get_ref().count;
                        self.member = None;
                        return Err(io::Error::other(format!(
                            "byte {at}: this unpacks to more than {} MiB, which no log file does; reading stops here. \
                             If it is meant, unpack it by hand and pipe it in.",
                            self.limit >> 20
                        )));
                    }
                    return Ok(count);
                }
                Err(error) => {
                    let at = member.get_ref().count;
                    self.member = None;
                    return Err(io::Error::other(match error.kind() {
                        io::ErrorKind::UnexpectedEof => format!(
                            "byte {at}: the gzip data ends here, before its end: the file is cut off. \
                             What came before it was read; fetch the file again for the rest."
                        ),
                        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => format!(
                            "byte {at}: the gzip data is damaged here ({error}). \
                             What came before it was read and may be damaged, too; fetch the file again."
                        ),
                        _ => format!("byte {at}: {error}"),
                    }));
                }
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn unpack(bytes: &[u8], limit: u64) -> (Vec<u8>, Option<String>) {
        let mut out = Vec::new();
        let error = Members::new(bytes, limit).read_to_end(&mut out).err();
        (out, error.map(|error| error.to_string()))
    }

    #[test]
    fn members_and_zeros_are_read_through() {
        let whole = [packed(b"one "), packed(b""), packed(b"two"), vec![0; 700]].concat();
        assert_eq!(unpack(&whole, 100), (b"one two".to_vec(), None));
    }

    #[test]
    fn the_limit_is_each_members() {
        let twice = [packed(&[b'x'; 80]), packed(&[b'y'; 80])].concat();
        assert_eq!(unpack(&twice, 80).1, None);
        let (_, error) = unpack(&packed(&[b'x'; 5000]), 4096);
        assert!(error.unwrap().contains("unpacks to more than"));
    }

    #[test]
    fn what_is_sent_has_a_limit_in_all() {
        let all = |limit| AtMost::new(&[b'x'; 5000][..], limit).read_to_end(&mut Vec::new());
        assert_eq!(all(5000).unwrap(), 5000);
        assert!(all(4999).unwrap_err().to_string().contains("reading stops here"));
    }

    #[test]
    fn every_cut_is_named_with_its_byte() {
        let whole = packed(b"{\"eventName\":\"GetTrail\"}");
        for length in 2..whole.len() {
            let (_, error) = unpack(whole.get(..length).unwrap(), 1000);
            assert!(error.unwrap().starts_with(&format!("byte {length}: the gzip data ends here")), "{length}");
        }
    }

    #[test]
    fn damage_and_what_stands_behind_are_errors() {
        let mut whole = packed(&b"something longer ".repeat(40));
        whole.extend(b"tail");
        assert!(unpack(&whole, 1000).1.unwrap().contains("no gzip data"));
        whole.truncate(whole.len() - 4);
        let middle = whole.len() - 6;
        whole[middle] ^= 0xFF;
        assert!(unpack(&whole, 1000).1.unwrap().contains("damaged"));
    }

    #[test]
    fn what_is_not_gzip_stays_as_it_is() {
        for text in [&b""[..], b"x", b"\x1f", b"plain text"] {
            let mut out = Vec::new();
            unpacked(text).read_to_end(&mut out).unwrap();
            assert_eq!(out, text);
        }
    }
}
