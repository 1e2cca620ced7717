//! Who is calling: the claims of the JWT that API Gateway has verified, and what a role may do.

use std::collections::{BTreeSet, HashMap};

use domain::{Access, Actor, Email, OrganizationId, UserId};
use lambda_http::{Request, RequestExt};

use crate::problem::Problem;

/// A person or a machine, acting for its organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Organization, user (`sub`) and name.
    pub actor: Actor,
    /// As the issuer of the token has it.
    pub email: Option<String>,
    /// What the token allows.
    pub roles: Roles,
}

/// A role of section "Who may do what" of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Everything for its own organization.
    PartnerAdmin,
    /// Everything for its own organization.
    ReferralsAdmin,
    /// Only deals whose team it is on.
    Seller,
    /// Reads its organization's opportunities.
    Viewer,
    /// Runs imports; no deals.
    ExchangeAdmin,
}

/// The roles of one token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles(BTreeSet<Role>);

impl Role {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "partner_admin" => Some(Self::PartnerAdmin),
            "referrals_admin" => Some(Self::ReferralsAdmin),
            "seller" => Some(Self::Seller),
            "viewer" => Some(Self::Viewer),
            "exchange_admin" => Some(Self::ExchangeAdmin),
            _ => None,
        }
    }
}

impl Roles {
    /// Reads a claim. API Gateway flattens a list to `[a b]`; issuers also write `a b`, `a,b` or JSON in a string.
    /// Names that are no role of ours are other applications' business.
    fn parse(claim: &str) -> Self {
        if let Ok(names) = serde_json::from_str::<Vec<String>>(claim) {
            return Self(names.iter().filter_map(|name| Role::parse(name)).collect());
        }
        let list = claim.trim();
        let list = list
            .strip_prefix('[')
            .and_then(|list| list.strip_suffix(']'))
            .unwrap_or(list);
        let names = list.split(|c: char| c == ',' || c.is_whitespace());
        Self(names.filter_map(Role::parse).collect())
    }

    /// Whether the token has the role.
    pub fn has(&self, role: Role) -> bool {
        self.0.contains(&role)
    }
}

impl Caller {
    /// The caller of a request; 401 without the claims that say who it is.
    pub fn of(request: &Request) -> Result<Self, Problem> {
        let claims = request
            .request_context_ref()
            .and_then(|context| context.authorizer())
            .and_then(|authorizer| authorizer.jwt.as_ref())
            .map(|jwt| &jwt.claims)
            .ok_or_else(|| Problem::unauthorized("The request has no verified token."))?;
        Self::parse(claims)
    }

    fn parse(claims: &HashMap<String, String>) -> Result<Self, Problem> {
        let claim = |name: &str| claims.get(name).filter(|value| !value.is_empty());
        let roles = ["roles", "cognito:groups"].into_iter().filter_map(claim);
        let roles = Roles(roles.flat_map(|claim| Roles::parse(claim).0).collect());
        let user = claim("sub")
            .and_then(|sub| UserId::parse(sub).ok())
            .ok_or_else(|| Problem::unauthorized("The token has no usable claim sub."))?;
        let organization = claim("org")
            .or_else(|| claim("custom:org"))
            .and_then(|org| OrganizationId::parse(org).ok())
            .ok_or_else(|| {
                if roles.has(Role::ExchangeAdmin) {
                    // The operator belongs to no organization: its token is good, but not for this.
                    Problem::forbidden(EXCHANGE_ADMIN)
                } else {
                    Problem::unauthorized("The token has no usable organization, claim org or custom:org.")
                }
            })?;
        Ok(Self {
            actor: Actor {
                organization,
                user,
                name: claim("name").cloned(),
                access: Access::All,
            },
            email: claim("email").cloned(),
            roles,
        })
    }

    /// The caller as somebody who reads its organization's opportunities, as far as its roles go.
    pub fn may_read(&self) -> Result<Actor, Problem> {
        if self.roles.has(Role::Viewer) && !self.roles.has(Role::ExchangeAdmin) {
            return Ok(self.actor.clone());
        }
        self.may_write()
    }

    /// The caller as somebody who creates, changes, answers, closes and invites for its organization, as far as its roles go.
    pub fn may_write(&self) -> Result<Actor, Problem> {
        let has = |role| self.roles.has(role);
        if has(Role::ExchangeAdmin) {
            Err(Problem::forbidden(EXCHANGE_ADMIN))
        } else if has(Role::PartnerAdmin) || has(Role::ReferralsAdmin) {
            Ok(self.actor.clone())
        } else if has(Role::Seller) {
            let email = self.email.as_deref().and_then(|email| Email::parse(email).ok());
            let email = email.ok_or_else(|| {
                Problem::forbidden(
                    "The role seller works with the deals of its team, and the token has no usable claim email.",
                )
            })?;
            Ok(Actor {
                access: Access::Team(email),
                ..self.actor.clone()
            })
        } else if has(Role::Viewer) {
            Err(Problem::forbidden("The role viewer may only read."))
        } else {
            Err(Problem::forbidden(
                "The token has none of the roles partner_admin, referrals_admin, seller, viewer.",
            ))
        }
    }
}

const EXCHANGE_ADMIN: &str = "The role exchange_admin runs imports; its token reads and changes no deals.";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::testing;

    fn parse(claims: &[(&str, &str)]) -> Result<Caller, Problem> {
        Caller::parse(
            &claims
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
        )
    }

    fn with_roles(roles: &str) -> Caller {
        parse(&[("sub", "u1"), ("org", "fabrikam"), ("roles", roles)]).expect("a caller")
    }

    fn status<T>(result: Result<T, Problem>) -> u16 {
        result.err().map_or(200, |problem| problem.status())
    }

    #[test]
    fn a_list_may_be_written_in_many_ways() {
        let expected = Roles([Role::PartnerAdmin, Role::Viewer].into());
        for list in [
            "[partner_admin viewer]",
            "[partner_admin, viewer]",
            " [ partner_admin  viewer ] ",
            "partner_admin viewer",
            "viewer,partner_admin",
            "partner_admin, other viewer",
            r#"["partner_admin","viewer"]"#,
            r#"[ "viewer", "partner_admin", "Seller" ]"#,
        ] {
            assert_eq!(Roles::parse(list), expected, "{list}");
        }
        for list in [
            "",
            "[]",
            "[",
            "PARTNER_ADMIN",
            "partner_admins",
            r#"["not partner_admin"]"#,
            "partner_admin]",
        ] {
            assert_eq!(Roles::parse(list), Roles::default(), "{list}");
        }
    }

    #[test]
    fn claims_come_under_either_name() {
        let cognito = parse(&[
            ("sub", "u1"),
            ("custom:org", "fabrikam"),
            ("cognito:groups", "[viewer]"),
            ("email", "ana@fabrikam.example"),
            ("name", "Ana"),
        ]);
        let caller = cognito.expect("a caller");
        assert_eq!(caller.actor.organization.as_str(), "fabrikam");
        assert_eq!(caller.actor.name.as_deref(), Some("Ana"));
        assert_eq!(caller.email.as_deref(), Some("ana@fabrikam.example"));
        assert!(caller.roles.has(Role::Viewer));
        let both = parse(&[("sub", "u1"), ("org", "a"), ("custom:org", "b")]).expect("a caller");
        assert_eq!(both.actor.organization.as_str(), "a");
    }

    #[test]
    fn without_a_user_or_an_organization_it_is_nobody() {
        for claims in [
            &[][..],
            &[("sub", "u1")],
            &[("org", "a")],
            &[("sub", ""), ("org", "a")],
            &[("sub", "u1"), ("org", "")],
            &[("sub", "u1"), ("org", "a#b")],
            &[("sub", "u\n1"), ("org", "a")],
        ] {
            assert_eq!(status(parse(claims)), 401, "{claims:?}");
        }
        assert_eq!(status(parse(&[("sub", "u1"), ("roles", "exchange_admin")])), 403);
    }

    #[test]
    fn roles() {
        for (roles, read, write) in [
            ("partner_admin", 200, 200),
            ("referrals_admin", 200, 200),
            ("viewer", 200, 403),
            ("viewer referrals_admin", 200, 200),
            // Without an email claim a seller is on no team.
            ("seller", 403, 403),
            ("seller viewer", 200, 403),
            ("exchange_admin", 403, 403),
            ("exchange_admin partner_admin viewer", 403, 403),
            ("somebody", 403, 403),
            ("", 403, 403),
        ] {
            let caller = with_roles(roles);
            assert_eq!(
                (status(caller.may_read()), status(caller.may_write())),
                (read, write),
                "{roles}"
            );
        }
    }

    #[test]
    fn a_seller_works_with_its_team_and_reads_all_that_a_viewer_may() {
        let caller = |roles| {
            let claims = [
                ("sub", "u1"),
                ("org", "a"),
                ("roles", roles),
                ("email", "Ana@fabrikam.example"),
            ];
            parse(&claims).expect("a caller")
        };
        let team = Access::Team(Email::parse("Ana@fabrikam.example").expect("an address"));
        let access = |actor: Result<Actor, Problem>| actor.expect("allowed").access;
        assert_eq!(access(caller("seller").may_read()), team);
        assert_eq!(access(caller("seller").may_write()), team);
        assert_eq!(access(caller("seller viewer").may_read()), Access::All);
        assert_eq!(access(caller("seller viewer").may_write()), team);
        assert_eq!(access(caller("seller referrals_admin").may_write()), Access::All);
    }

    #[test]
    fn the_authorizer_may_be_null_or_of_another_kind() {
        for authorizer in [
            json!(null),
            json!({}),
            json!({"lambda": {"sub": "u1"}}),
            json!({"jwt": {"claims": null}}),
        ] {
            let mut event = testing::event("GET", "/v1/opportunities");
            event["requestContext"]["authorizer"] = authorizer.clone();
            assert_eq!(status(Caller::of(&testing::request(&event))), 401, "{authorizer}");
        }
        assert_eq!(
            status(Caller::of(&testing::request(&testing::event(
                "GET",
                "/v1/opportunities"
            )))),
            200
        );
    }

    proptest! {
        #[test]
        fn any_claims_are_a_caller_or_refused(
            sub in "\\PC*", org in "\\PC{0,70}|[a-z]*", roles in "\\PC*|\\[?([a-z_]* ?,?)*\\]?", name in any::<String>(),
        ) {
            let claims = [("sub", &*sub), ("org", &*org), ("roles", &*roles), ("name", &*name), ("email", &*name)];
            match parse(&claims) {
                Ok(caller) => prop_assert!(caller.may_write().is_err() || caller.may_read().is_ok()),
                Err(problem) => prop_assert!([401, 403].contains(&problem.status())),
            }
        }

        #[test]
        fn an_operator_never_gets_at_deals(others in proptest::collection::vec("[a-z_]{1,12}|viewer|partner_admin", 0..5)) {
            let caller = with_roles(&format!("{} exchange_admin", others.join(" ")));
            prop_assert_eq!((status(caller.may_read()), status(caller.may_write())), (403, 403));
        }
    }
}
