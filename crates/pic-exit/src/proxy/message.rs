//! As much of DNS messages as a relay needs (RFC 1035 section 4.1): whose answer one is, and one that says "ask by TCP".

/// Bytes before the question.
const HEAD: usize = 12;
/// Bytes of an answer by UDP: of who says nothing about it (RFC 1035 section 4.2.1), and of who knows EDNS: what passes every
/// path, and so what everybody takes.
const PLAIN: usize = 512;
const EDNS: usize = 1232;
/// Bits of the third byte: an answer; one that is cut.
const ANSWER: u8 = 0x80;
const CUT: u8 = 0x02;

/// Whether bytes are one question.
pub fn is_question(bytes: &[u8]) -> bool {
    matches!(bytes.get(..6), Some([_, _, flags, _, 0, 1]) if flags & ANSWER == 0)
        && end_of_question(bytes).is_some()
}

/// Whether bytes answer a question: the same number, and an answer.
pub fn answers(question: &[u8], answer: &[u8]) -> bool {
    answer.len() >= HEAD
        && answer.get(..2) == question.get(..2)
        && answer.get(2).is_some_and(|flags| flags & ANSWER != 0)
}

/// The answer as it may go by UDP: itself, or one that says that it is cut.
pub fn fitting(question: &[u8], answer: Vec<u8>) -> Vec<u8> {
    // Something behind the question is the asker's OPT.
    let knows_edns = matches!(question.get(10..12), Some(count) if count != [0, 0]);
    if answer.len() <= if knows_edns { EDNS } else { PLAIN } {
        return answer;
    }
    let Some(end) = end_of_question(question) else { return answer };
    let mut cut = question.get(..end).unwrap_or_default().to_vec();
    if let Some(flags) = cut.get_mut(2) {
        *flags |= ANSWER | CUT;
    }
    // One question, and nothing else.
    cut.splice(4..HEAD, [0, 1, 0, 0, 0, 0, 0, 0]);
    cut
}

/// Where the first question ends.
fn end_of_question(bytes: &[u8]) -> Option<usize> {
    let mut at = HEAD;
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1;
        match length {
            // Type and class.
            0 => return (at + 4 <= bytes.len()).then_some(at + 4),
            1..=63 => at += length,
            _ => return None,
        }
    }
}

/// A question for the name servers of the root, which every resolver has at hand.
pub fn for_the_root(number: u16) -> [u8; 17] {
    let [high, low] = number.to_be_bytes();
    [high, low, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_answer_becomes_one_that_is_cut() {
        let question = for_the_root(7);
        assert!(is_question(&question) && !is_question(&question[..16]));
        let mut answer = question.to_vec();
        answer[2] |= ANSWER;
        assert!(
            answers(&question, &answer) && !answers(&question, &question) && !answers(&question, &[0, 7])
        );
        assert!(!answers(&for_the_root(8), &answer) && !is_question(&answer));
        assert_eq!(fitting(&question, answer.clone()), answer);
        answer.resize(PLAIN + 1, 0);
        let cut = fitting(&question, answer.clone());
        assert_eq!((cut.len(), cut[2]), (17, 1 | ANSWER | CUT));
        let mut edns = question.to_vec();
        edns[11] = 1;
        assert_eq!(fitting(&edns, answer.clone()), answer);
        answer.resize(EDNS + 1, 0);
        let cut = fitting(&edns, answer);
        assert_eq!(cut[4..12], [0, 1, 0, 0, 0, 0, 0, 0]);
    }
}
