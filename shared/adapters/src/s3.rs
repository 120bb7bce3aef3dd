//! S3: what lies in a bucket below a prefix, and the bytes of one object.
//!
//! Decides nothing but what a page is, and which permission is missing where AWS refuses: `s3:ListBucket` on the bucket for a list,
//! `s3:GetObject` on what is in it, and, where objects are encrypted with a key of the bucket's owner, `kms:Decrypt`.
//!
//! A bucket is asked where it lies: S3 answers elsewhere with a redirection only. Where it lies is said in every answer about it, a
//! refusal included. <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html>

use aws_config::Region;
use aws_sdk_s3::{Client, config::Builder, error::SdkError, primitives::ByteStream};

use crate::http::{AwsError, bounded, sdk_config, sort_error, with_causes};

/// A bucket.
#[derive(Debug, Clone)]
pub struct Bucket {
    client: Client,
    name: String,
}

/// An object of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its key.
    pub key: String,
    /// How long it is. Bytes.
    pub length: u64,
}

/// A part of a list, in the order of the keys' bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// What is on it.
    pub objects: Vec<Object>,
    /// What asks for the next one, if there is one.
    pub next: Option<String>,
}

/// The bytes of an object, as they come.
#[derive(Debug)]
pub struct Body(ByteStream);

impl Bucket {
    /// With the credentials of the environment, and in the bucket's Region; in that of the environment, where S3 doesn't say which.
    pub async fn new(name: &str) -> Self {
        let config = sdk_config().await;
        let client = Client::new(config);
        let region = match client.head_bucket().bucket(name).send().await {
            Ok(found) => found.bucket_region,
            Err(SdkError::ServiceError(refused)) => {
                refused.raw().headers().get("x-amz-bucket-region").map(str::to_owned)
            }
            Err(_) => None,
        };
        let client = match region.filter(|region| config.region().is_none_or(|of| of.as_ref() != region)) {
            Some(region) => Client::from_conf(Builder::from(config).region(Region::new(region)).build()),
            None => client,
        };
        Self { client, name: name.to_owned() }
    }

    /// Objects whose keys begin with a prefix: the first page of those behind a key, or the page that another one named.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>
    pub async fn page(&self, prefix: &str, behind: Option<&str>, next: Option<&str>) -> Result<Page, AwsError> {
        let asked = self
            .client
            .list_objects_v2()
            .bucket(&self.name)
            .prefix(prefix)
            .set_start_after(behind.map(str::to_owned))
            .set_continuation_token(next.map(str::to_owned));
        let found = asked.send().await.map_err(|error| sort_error(&error))?;
        let object = |object: aws_sdk_s3::types::Object| {
            Some(Object { length: u64::try_from(object.size.unwrap_or(0)).unwrap_or(0), key: object.key? })
        };
        let objects = found.contents.unwrap_or_default().into_iter().filter_map(object).collect();
        Ok(Page { objects, next: found.next_continuation_token.filter(|_| found.is_truncated == Some(true)) })
    }

    /// The bytes of an object, from one of them on.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>
    pub async fn get(&self, key: &str, first: u64) -> Result<Body, AwsError> {
        let range = (first > 0).then(|| format!("bytes={first}-"));
        let asked = self.client.get_object().bucket(&self.name).key(key).set_range(range).send().await;
        asked.map(|found| Body(found.body)).map_err(|error| sort_error(&error))
    }
}

impl Body {
    /// The next of them; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Vec<u8>, AwsError>> {
        let piece = self.0.next().await?;
        Some(piece.map(|bytes| bytes.to_vec()).map_err(|why| AwsError::Unavailable(bounded(&with_causes(&why)))))
    }
}
