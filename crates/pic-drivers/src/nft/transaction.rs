//! A batch of messages that the kernel does as one, each with a label for the error that it may cause.

use std::io::{self, IoSlice};

use nftnl::{Batch, MsgType, NlMsg};

use super::abi;
use super::attributes::{messages, native32, text};
use super::error::Error;
use super::socket::Socket;

/// Messages of one transaction.
pub(super) struct Transaction {
    batch: Batch,
    labels: Vec<String>,
}

/// What the kernel said about one message.
struct Answer {
    sequence: u32,
    /// Zero or a positive error number.
    errno: i32,
    note: String,
}

impl Transaction {
    pub(super) fn new() -> Self {
        Self { batch: Batch::new(), labels: Vec::new() }
    }

    /// Adds a message; the label says in an error what it was about.
    pub(super) fn add(&mut self, message: &impl NlMsg, kind: MsgType, label: String) {
        self.batch.add(message, kind);
        self.labels.push(label);
    }

    /// Sends everything at once and reads all answers.
    pub(super) fn commit(self, socket: &mut Socket) -> Result<(), Error> {
        let batch = self.batch.finalize();
        // One datagram: the kernel takes each datagram for a transaction of its own, so a batch sent in pages would
        // be torn apart.
        let pages: Vec<_> = batch.iter().map(IoSlice::new).collect();
        let bytes = pages.iter().map(|page| page.len()).sum();
        socket.send(&pages).map_err(|source| Error::Send { bytes, source })?;

        // The opening message has a number of its own where the kernel acknowledges it.
        let numbers = batch.sequence_numbers();
        let numbered = numbers.end.saturating_sub(numbers.start);
        let is_framed = usize::try_from(numbered).is_ok_and(|numbered| numbered > self.labels.len());
        judge(&answers(socket)?, &self.labels, numbers.start + u32::from(is_framed))
    }
}

/// All answers. The kernel has queued them before the send returned, so an empty queue is their end.
fn answers(socket: &mut Socket) -> Result<Vec<Answer>, Error> {
    let mut answers = Vec::new();
    while let Some(datagram) = socket.receive_queued().map_err(Error::Receive)? {
        answers.extend(messages(datagram).filter(|message| message.kind == abi::NLMSG_ERROR).map(
            |message| {
                // An error number, the header of our message, and attributes if flagged.
                let extra = message.body.get(20..).filter(|_| message.flags & abi::NLM_F_ACK_TLVS != 0);
                let words = extra.and_then(|extra| text(extra, abi::NLMSGERR_ATTR_MSG));
                Answer {
                    sequence: message.sequence,
                    errno: native32(message.body)
                        .map_or(libc::EBADMSG, |code| code.cast_signed().saturating_neg()),
                    note: words.map(|words| format!(" ({words})")).unwrap_or_default(),
                }
            },
        ));
    }
    Ok(answers)
}

/// The first error in the order of our messages, or else the first message without an answer.
fn judge(answers: &[Answer], labels: &[String], first: u32) -> Result<(), Error> {
    let label = |sequence: u32| {
        let index = usize::try_from(sequence.checked_sub(first)?).ok()?;
        labels.get(index)
    };
    if let Some(worst) = answers.iter().filter(|a| a.errno != 0).min_by_key(|a| a.sequence) {
        return Err(Error::Refused {
            object: label(worst.sequence).cloned().unwrap_or_else(|| "the transaction".to_owned()),
            note: worst.note.clone(),
            source: io::Error::from_raw_os_error(worst.errno),
        });
    }
    let answered: std::collections::BTreeSet<_> = answers.iter().map(|answer| answer.sequence).collect();
    match (first..).zip(labels).find(|(sequence, _)| !answered.contains(sequence)) {
        Some((_, label)) => Err(Error::Unanswered { object: label.clone() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(sequence: u32, errno: i32) -> Answer {
        Answer { sequence, errno, note: String::new() }
    }

    #[test]
    fn an_error_is_told_by_the_label_of_its_message() {
        let labels = ["table".to_owned(), "set a".to_owned(), "set b".to_owned()];
        assert!(judge(&[answer(1, 0), answer(2, 0), answer(3, 0), answer(4, 0)], &labels, 2).is_ok());
        let refused = judge(&[answer(2, 0), answer(4, 2), answer(3, 17)], &labels, 2).unwrap_err();
        assert_eq!(refused.to_string(), "nftables refused set a");
        let early = judge(&[answer(1, 1)], &labels, 2).unwrap_err();
        assert_eq!(early.to_string(), "nftables refused the transaction");
        let silent = judge(&[answer(2, 0), answer(3, 0)], &labels, 2).unwrap_err();
        assert_eq!(silent.to_string(), "nftables gave no answer about set b");
    }
}
