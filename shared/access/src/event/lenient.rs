//! Reading without giving up: a field of an unexpected type counts as absent, and the record around it is still read.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

use super::Record;

/// A string, or nothing: another type counts as absent.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    deserializer.deserialize_any(Lenient(PhantomData::<String>))
}

/// An object, or nothing.
pub(super) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    deserializer.deserialize_any(Lenient(PhantomData::<FromMap<T>>)).map(|found| found.map(|FromMap(value)| value))
}

/// The objects of a list; everything else in it is left out.
pub(super) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let found = deserializer.deserialize_any(Lenient(PhantomData::<FromSeq<T>>))?;
    Ok(found.map(|FromSeq(items)| items.into_iter().flatten().collect()).unwrap_or_default())
}

/// The elements of a wrapping: each that is no object becomes an empty record, which `unwrap` then reports. So does something that is
/// no list at all: what was to hold records and holds none must not pass for having been read.
pub(super) fn elements<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Record>>, D::Error> {
    let found = deserializer.deserialize_any(Lenient(PhantomData::<FromSeq<Record>>))?;
    let records = found.map(|FromSeq(items)| items.into_iter().map(Option::unwrap_or_default).collect());
    Ok(Some(records.unwrap_or_else(|| vec![Record::default()])))
}

struct Lenient<T>(PhantomData<T>);
struct FromMap<T>(T);
struct FromSeq<T>(Vec<Option<T>>);

/// What a lenient visitor makes of each JSON type; the default is to read past it.
trait FromJson<'de>: Sized {
    fn from_text(_text: &str) -> Option<Self> {
        None
    }
    fn from_map<A: MapAccess<'de>>(mut map: A) -> Result<Option<Self>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
    fn from_seq<A: SeqAccess<'de>>(mut seq: A) -> Result<Option<Self>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

impl FromJson<'_> for String {
    fn from_text(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl<'de, T: Deserialize<'de>> FromJson<'de> for FromMap<T> {
    fn from_map<A: MapAccess<'de>>(map: A) -> Result<Option<Self>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|value| Some(Self(value)))
    }
}

impl<'de, T: Deserialize<'de>> FromJson<'de> for FromSeq<T> {
    fn from_seq<A: SeqAccess<'de>>(mut seq: A) -> Result<Option<Self>, A::Error> {
        struct Element<T>(Option<T>);
        impl<'de, T: Deserialize<'de>> Deserialize<'de> for Element<T> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                object(deserializer).map(Self)
            }
        }
        let mut items = Vec::new();
        while let Some(Element(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Some(Self(items)))
    }
}

impl<'de, T: FromJson<'de>> Visitor<'de> for Lenient<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(T::from_text(text))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::from_map(map)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        T::from_seq(seq)
    }
    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }
}
