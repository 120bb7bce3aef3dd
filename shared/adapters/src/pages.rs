//! Pages: the address under which a case can be read.
//!
//! On one machine that is the machine's own, which nobody else reaches. Deployed it is a signed link that ends
//! ([`access::link`]): whoever tells people of a case makes the code, and `decide`, which shows the page, can only check it.

use access::link::Link;

use crate::vouch::{VouchError, Voucher};

/// Where cases can be read.
#[derive(Debug)]
pub enum Pages {
    /// Under this address and the case's id.
    Plain(String),
    /// Under a signed link.
    Signed {
        /// What every address begins with, its last slash included.
        base: String,
        /// The ARN of the stack, for which alone a link holds.
        stack: String,
        /// The key for links.
        voucher: Voucher,
    },
}

impl Pages {
    /// The address of a case's page at one of its openings. `now` in seconds since 1970. Nothing for what is no case's id.
    pub async fn address(&self, case_id: &str, opening: u64, now: i64) -> Result<Option<String>, VouchError> {
        match self {
            Self::Plain(base) => Ok(Some(format!("{base}{case_id}"))),
            Self::Signed { base, stack, voucher } => {
                let link = Link::new(case_id, opening, now);
                let code = voucher.vouch(&link.message(stack)).await?;
                Ok(link.address(base, &code))
            }
        }
    }
}
