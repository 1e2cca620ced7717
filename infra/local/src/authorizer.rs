//! The gateway's JWT authorizer, with tokens that are signed by a secret of this machine (HS256) instead of an issuer's key.

use std::fmt;

use chrono::TimeDelta;
use edge::clock;
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::signature::{Error as SignatureError, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use ring::hmac;
use serde::Serialize;
use serde_json::{Map, Value};

/// Who a token is for.
#[derive(Debug, Clone, Serialize)]
pub struct Claims {
    /// The organization.
    pub org: String,
    /// Its user's roles, such as `referrals_admin`.
    pub roles: Vec<String>,
    /// The user's email address.
    pub email: String,
    /// The user's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The user's id.
    pub sub: String,
}

#[derive(Serialize)]
struct Token<'a> {
    #[serde(flatten)]
    claims: &'a Claims,
    iat: u64,
    exp: u64,
}

/// A token that is valid from now on for as long as `life`, to the second.
///
/// # Panics
/// Never: claims are always JSON, and any secret will do for HMAC.
pub fn token(secret: &str, claims: &Claims, life: TimeDelta) -> String {
    install_crypto();
    let now = clock::now();
    let token = Token {
        claims,
        iat: now.millis() / 1_000,
        exp: now.plus(life).millis() / 1_000,
    };
    jsonwebtoken::encode(
        &Header::new(Algorithm::HS256),
        &token,
        &EncodingKey::from_secret(secret.as_bytes()),
    )
    .expect("claims are JSON")
}

/// Verifies tokens.
pub(crate) struct Authorizer {
    key: DecodingKey,
    validation: Validation,
}

impl Authorizer {
    pub(crate) fn new(secret: &str) -> Self {
        install_crypto();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 0;
        validation.validate_nbf = true;
        // Who issued it and for whom says the secret.
        validation.validate_aud = false;
        Self {
            key: DecodingKey::from_secret(secret.as_bytes()),
            validation,
        }
    }

    /// The claims as API Gateway passes them on, all of them text; `None` if the token is not to be trusted. As there, the
    /// header may hold the token with or without `Bearer`.
    pub(crate) fn claims(&self, authorization: Option<&str>) -> Option<Map<String, Value>> {
        let authorization = authorization?.trim();
        let token = match authorization.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim_start(),
            Some(_) => return None,
            None => authorization,
        };
        let claims = jsonwebtoken::decode::<Map<String, Value>>(token, &self.key, &self.validation)
            .ok()?
            .claims;
        Some(
            claims
                .into_iter()
                .map(|(name, value)| (name, Value::String(Flat(&value).to_string())))
                .collect(),
        )
    }
}

/// A claim as API Gateway writes it: lists as `[a b]`, objects as `map[a:1 b:2]`.
struct Flat<'a>(&'a Value);

impl fmt::Display for Flat<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Null => f.write_str("<nil>"),
            Value::String(text) => f.write_str(text),
            Value::Bool(_) | Value::Number(_) => write!(f, "{}", self.0),
            Value::Array(values) => {
                let values: Vec<_> = values.iter().map(|value| Flat(value).to_string()).collect();
                write!(f, "[{}]", values.join(" "))
            }
            Value::Object(fields) => {
                let fields: Vec<_> = fields
                    .iter()
                    .map(|(name, value)| format!("{name}:{}", Flat(value)))
                    .collect();
                write!(f, "map[{}]", fields.join(" "))
            }
        }
    }
}

/// HS256 with ring, which the HTTP client has linked already. The library's own providers would bring RSA and elliptic curves,
/// which nobody here uses and which take minutes to compile.
struct Hs256(hmac::Key);

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        Ok(hmac::sign(&self.0, message).as_ref().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        hmac::verify(&self.0, message, signature).map_err(|_| SignatureError::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl Hs256 {
    fn new(algorithm: Algorithm, secret: &[u8]) -> jsonwebtoken::errors::Result<Self> {
        match algorithm {
            Algorithm::HS256 => Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, secret))),
            _ => Err(ErrorKind::InvalidAlgorithm.into()),
        }
    }
}

fn install_crypto() {
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: |algorithm, key| Ok(Box::new(Hs256::new(*algorithm, key.as_bytes())?)),
        verifier_factory: |algorithm, key| Ok(Box::new(Hs256::new(*algorithm, key.try_get_as_bytes()?)?)),
        key_utils: KeyUtils::new_unimplemented(),
    };
    // Refused where it is installed already, and then it is this one.
    let _ = PROVIDER.install_default();
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

    use super::*;

    const SECRET: &str = "a secret";

    fn ana() -> Claims {
        Claims {
            org: "fabrikam".into(),
            roles: vec!["referrals_admin".into(), "viewer".into()],
            email: "ana@fabrikam.example".into(),
            name: None,
            sub: "u1".into(),
        }
    }

    fn signed(claims: &Value) -> String {
        install_crypto();
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key).expect("JSON")
    }

    fn claims(authorization: &str) -> Option<Map<String, Value>> {
        Authorizer::new(SECRET).claims(Some(authorization))
    }

    fn in_seconds(seconds: i64) -> i64 {
        i64::try_from(clock::now().millis() / 1_000).expect("a time") + seconds
    }

    #[test]
    fn a_good_token_gives_its_claims_as_text() {
        let token = token(SECRET, &ana(), TimeDelta::hours(1));
        let found = claims(&format!("Bearer {token}")).expect("good");
        assert_eq!(found["org"], "fabrikam");
        assert_eq!(found["roles"], "[referrals_admin viewer]");
        assert_eq!(found["sub"], "u1");
        assert!(found["exp"].is_string());
        assert!(!found.contains_key("name"));
        assert_eq!(claims(&format!("bearer {token}")), Some(found.clone()));
        assert_eq!(claims(&token), Some(found));
    }

    #[test]
    fn claims_are_flattened_as_api_gateway_does() {
        let flat = |value: Value| Flat(&value).to_string();
        assert_eq!(flat(json!("a b")), "a b");
        assert_eq!(flat(json!([])), "[]");
        assert_eq!(flat(json!(["a"])), "[a]");
        assert_eq!(flat(json!(["a", "b c", 1])), "[a b c 1]");
        assert_eq!(flat(json!(true)), "true");
        assert_eq!(flat(json!(1_795_253_400)), "1795253400");
        assert_eq!(flat(json!({"b": 1, "a": ["x", "y"]})), "map[a:[x y] b:1]");
        assert_eq!(flat(json!(null)), "<nil>");
    }

    #[test]
    fn a_token_counts_only_in_its_time() {
        assert!(claims(&signed(&json!({"exp": in_seconds(60)}))).is_some());
        assert!(claims(&signed(&json!({"exp": in_seconds(60), "nbf": in_seconds(-60)}))).is_some());
        for wrong in [
            json!({}),
            json!({"exp": in_seconds(-2)}),
            json!({"exp": "soon"}),
            json!({"exp": in_seconds(60), "nbf": in_seconds(30)}),
            json!({"exp": in_seconds(60), "nbf": "soon"}),
        ] {
            assert_eq!(claims(&signed(&wrong)), None, "{wrong}");
        }
    }

    #[test]
    fn a_token_that_somebody_else_made_is_refused() {
        let good = token(SECRET, &ana(), TimeDelta::hours(1));
        let (content, signature) = good.rsplit_once('.').expect("three parts");
        let (_, payload) = content.split_once('.').expect("three parts");
        let header = |alg: &str| URL_SAFE_NO_PAD.encode(format!(r#"{{"typ":"JWT","alg":"{alg}"}}"#));
        let forged = [
            token("another secret", &ana(), TimeDelta::hours(1)),
            format!("{}.{payload}.", header("none")),
            format!("{}.{payload}.{signature}", header("none")),
            format!("{}.{payload}.{signature}", header("HS384")),
            format!("{}.{payload}.{signature}", header("RS256")),
            format!("{content}."),
            content.to_owned(),
            format!("{content}.{}", URL_SAFE_NO_PAD.encode([0; 32])),
            format!("{good}.{good}"),
            String::new(),
            "Bearer".to_owned(),
        ];
        for forged in forged {
            assert_eq!(claims(&format!("Bearer {forged}")), None, "{forged}");
        }
        assert_eq!(claims(&format!("Basic {good}")), None);
        assert_eq!(claims(""), None);
        assert_eq!(Authorizer::new(SECRET).claims(None), None);
    }
}
