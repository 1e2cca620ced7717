//! `infra/openapi.yaml` and the running system agree: the same routes, the same fields, and no answer that the document does
//! not foresee.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use axum::http::Method;
use chrono::TimeDelta;
use jsonschema::Validator;
use local::routes::{Route, find};
use local::{Claims, Template};
use serde_json::{Map, Value, json};
use tests::{Answer, Client, JSON, SECRET, World, but, day, deal, eventually, invitation, registration};

const UNKNOWN: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

static DOCUMENT: LazyLock<Document> = LazyLock::new(Document::read);

/// The document, and what is made of it.
struct Document {
    root: Value,
    /// By operation id, which is their function.
    routes: Vec<Route>,
    validators: Mutex<BTreeMap<String, Arc<Validator>>>,
}

/// An object of the document, and where it stands.
#[derive(Clone)]
struct Place<'a> {
    pointer: String,
    value: &'a Value,
}

impl Document {
    fn read() -> Self {
        let root: Value = serde_yaml_ng::from_str(include_str!("../../infra/openapi.yaml")).expect("YAML");
        let mut routes = Vec::new();
        for (path, item) in root["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("a path item") {
                if method != "parameters" {
                    let id = operation["operationId"].as_str().expect("an operation id");
                    routes.push(Route::parse(&method.to_uppercase(), path, id).expect("a route"));
                }
            }
        }
        Self {
            root,
            routes,
            validators: Mutex::default(),
        }
    }

    /// What stands there, or where that refers to.
    fn at(&self, pointer: &str) -> Place<'_> {
        let value = self.root.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}"));
        let reference = value.get("$ref").and_then(|reference| reference.as_str());
        // A schema that says more beside its reference is left to the validator.
        match reference.and_then(|reference| reference.strip_prefix('#')) {
            Some(reference) if value.as_object().is_some_and(|value| value.len() == 1) => self.at(reference),
            _ => Place {
                pointer: pointer.to_owned(),
                value,
            },
        }
    }

    fn operation(&self, route: &Route) -> Place<'_> {
        self.at(&format!(
            "/paths/{}/{}",
            escaped(&route.path),
            route.method.to_lowercase()
        ))
    }

    /// What is wrong with a value, for the schema that stands there.
    fn faults(&self, pointer: &str, value: &Value) -> Vec<String> {
        let validator = {
            let mut validators = self.validators.lock().expect("not poisoned");
            let validator = validators.entry(pointer.to_owned()).or_insert_with(|| {
                let mut schema = self.root.clone();
                let fragment = pointer.replace('{', "%7B").replace('}', "%7D");
                schema["$ref"] = json!(format!("#{fragment}"));
                let options = jsonschema::draft202012::options().should_validate_formats(true);
                Arc::new(options.build(&schema).expect("a schema"))
            });
            validator.clone()
        };
        let fault = |error: jsonschema::ValidationError<'_>| format!("{}: {error}", error.instance_path());
        validator.iter_errors(value).map(fault).collect()
    }

    /// The body that the document shows as an example of a request, where it has one.
    fn example(&self, route: &Route) -> Option<(String, Value)> {
        let content = self.operation(route).value.pointer("/requestBody/content")?;
        let (media_type, content) = content.as_object()?.iter().next()?;
        let first = || content["examples"].as_object()?.values().next()?.get("value");
        Some((media_type.clone(), content.get("example").or_else(first)?.clone()))
    }

    /// A path of an operation, to what there is not.
    fn path(route: &Route) -> String {
        let path = route
            .path
            .replace("{id}", UNKNOWN)
            .replace("{organizationId}", "tailspin");
        match route.function.as_str() {
            "listOpportunities" => format!("{path}?tab=inbound"),
            "suggestCustomers" => format!("{path}?country=US&q=cont"),
            _ => path,
        }
    }
}

impl<'a> Place<'a> {
    fn then(&self, name: &str) -> Option<Place<'a>> {
        let pointer = format!("{}/{}", self.pointer, escaped(name));
        self.value.get(name)?;
        Some(DOCUMENT.at(&pointer))
    }

    fn members(&self) -> impl Iterator<Item = (&'a String, Place<'a>)> {
        let members = self.value.as_object().into_iter().flatten();
        members.filter_map(|(name, _)| Some((name, self.then(name)?)))
    }
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A caller whose every answer is compared with the document.
struct Checked<'a> {
    client: Client,
    seen: &'a Seen,
}

/// What was answered: operation and status.
#[derive(Default)]
struct Seen(Mutex<BTreeSet<(String, u16)>>);

impl Checked<'_> {
    async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, &[JSON], Some(body)).await
    }

    async fn patch(&self, path: &str, body: &Value) -> Answer {
        let headers = [("content-type", "application/merge-patch+json"), ("if-match", "*")];
        self.send(Method::PATCH, path, &headers, Some(body)).await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &[], None).await
    }

    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Answer {
        let text = body.map(ToString::to_string);
        let answer = self.client.send(method.clone(), path, headers, text).await;
        self.seen.check(&method, path, body, &answer);
        answer
    }
}

impl Seen {
    fn by(&self, client: Client) -> Checked<'_> {
        Checked { client, seen: self }
    }

    /// The answer is one that the document foresees; and what was carried out, it allows to ask for.
    fn check(&self, method: &Method, path: &str, body: Option<&Value>, answer: &Answer) {
        let route = path.split('?').next().expect("a path");
        let (route, _) = find(&DOCUMENT.routes, method.as_str(), route).expect("a documented operation");
        let operation = DOCUMENT.operation(route);
        let responses = operation.then("responses").expect("responses");
        let response = responses
            .then(&answer.status.to_string())
            .unwrap_or_else(|| panic!("{} does not foresee {answer}", route.function));
        check_headers(&response, answer);
        check_content(&response, answer);
        if (200..300).contains(&answer.status)
            && let Some(body) = body
        {
            let body_at = operation.then("requestBody").expect("a request body");
            for (_, media_type) in body_at.then("content").expect("content").members() {
                let schema = media_type.then("schema").expect("a schema");
                assert_eq!(
                    DOCUMENT.faults(&schema.pointer, body),
                    [""; 0],
                    "{body} was carried out: {answer}"
                );
            }
        }
        let seen = (route.function.clone(), answer.status);
        self.0.lock().expect("not poisoned").insert(seen);
    }

    /// Every operation has been seen to succeed in all the ways that it can.
    fn is_complete(&self) {
        let seen = self.0.lock().expect("not poisoned");
        let mut missing = Vec::new();
        for route in &DOCUMENT.routes {
            let responses = DOCUMENT.operation(route).then("responses").expect("responses");
            for (status, _) in responses.members() {
                let status: u16 = status.parse().expect("a status");
                if status < 400 && !seen.contains(&(route.function.clone(), status)) {
                    missing.push(format!("{} {status}", route.function));
                }
            }
        }
        assert!(missing.is_empty(), "never seen: {missing:?}");
    }
}

fn check_headers(response: &Place<'_>, answer: &Answer) {
    let documented: Vec<_> = response
        .then("headers")
        .iter()
        .flat_map(Place::members)
        .map(|(name, header)| (name.to_lowercase(), header))
        .collect();
    for (name, header) in &documented {
        match answer.headers.get(name) {
            None => assert_ne!(header.value["required"], true, "no {name}: {answer}"),
            Some(text) => {
                let schema = header.then("schema").expect("a schema");
                let value = match schema.value["type"].as_str() {
                    Some("integer") => serde_json::from_str(text).expect("a number"),
                    _ => json!(text),
                };
                assert_eq!(
                    DOCUMENT.faults(&schema.pointer, &value),
                    [""; 0],
                    "{name}: {text}: {answer}"
                );
            }
        }
    }
    for name in [
        "accept",
        "accept-patch",
        "accept-post",
        "etag",
        "location",
        "retry-after",
        "www-authenticate",
    ] {
        let known = documented.iter().any(|(documented, _)| documented == name);
        assert!(
            known || !answer.headers.contains_key(name),
            "{name} is not documented: {answer}"
        );
    }
}

fn check_content(response: &Place<'_>, answer: &Answer) {
    let Some(content) = response.then("content") else {
        // API Gateway gives even an answer without a body a type.
        assert_eq!(answer.text, "", "{answer}");
        return;
    };
    let media_type = content
        .then(answer.header("content-type"))
        .unwrap_or_else(|| panic!("a content type that is not documented: {answer}"));
    let schema = media_type.then("schema").expect("a schema");
    assert_eq!(DOCUMENT.faults(&schema.pointer, &answer.body), [""; 0], "{answer}");
}

#[test]
fn the_documents_operations_are_the_templates_routes() {
    let keys = |routes: &[Route]| routes.iter().map(Route::key).collect::<BTreeSet<_>>();
    let template = Template::embedded().expect("the template");
    assert_eq!(keys(&DOCUMENT.routes), keys(&template.routes));
}

#[test]
fn every_example_is_right() {
    fn walk(pointer: &str, value: &Value, examples: &mut Vec<(String, Value)>) {
        if let Some(schema) = value.get("schema") {
            assert!(schema.is_object(), "{pointer}");
            let schema = format!("{pointer}/schema");
            examples.extend(value.get("example").map(|example| (schema.clone(), example.clone())));
            let named = value.get("examples").and_then(Value::as_object).into_iter().flatten();
            for (name, _) in named {
                let example = DOCUMENT.at(&format!("{pointer}/examples/{}", escaped(name)));
                examples.push((schema.clone(), example.value["value"].clone()));
            }
        }
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    walk(&format!("{pointer}/{}", escaped(name)), member, examples);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    walk(&format!("{pointer}/{index}"), item, examples);
                }
            }
            _ => {}
        }
    }
    let mut examples = Vec::new();
    walk("", &DOCUMENT.root, &mut examples);
    assert!(examples.len() > 30, "the examples are found: {}", examples.len());
    for (schema, example) in examples {
        assert_eq!(DOCUMENT.faults(&schema, &example), [""; 0], "{schema}: {example}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_one_that_the_document_foresees() {
    let seen = Seen::default();
    tokio::join!(
        opportunities(&seen),
        invitations(&seen),
        a_crowd(&seen),
        changes(&seen),
        notes_and_marks(&seen),
        replays(&seen),
        notifications(&seen),
        registrations(&seen),
        webhooks(&seen),
        directory(&seen),
        partners(&seen),
    );
    seen.is_complete();
}

async fn opportunities(seen: &Seen) {
    let world = World::start().await;
    let contoso = seen.by(world.admin("contoso"));
    let created = contoso
        .post("/v1/opportunities", &deal(&["fabrikam", "northwind"]))
        .await;
    created.is(201);
    let path = created.header("location").to_owned();
    let minimal = json!({
        "name": "Data platform", "estimatedValue": {"amount": "80000", "currency": "JPY"}, "estimatedCloseDate": "2099-12-31",
        "customer": {"name": "Litware", "country": "DE"}, "solutions": ["cloud"],
        "team": [{"name": "Carla Ruiz", "phone": "+14255550111", "email": "carla@contoso.example"}],
    });
    contoso.post("/v1/opportunities", &minimal).await.is(201);
    let duplicate = contoso.post("/v1/opportunities", &minimal).await;
    assert_ne!(duplicate.is(201).body["possibleDuplicates"], json!([]));
    let dry_run = contoso
        .post("/v1/opportunities?dryRun=true", &deal(&["fabrikam"]))
        .await;
    dry_run.is(200);
    let wrong = but(deal(&["nobody"]), "/team/0/phone", json!("1"));
    let wrong = but(wrong, "/invitations/0/helpType", json!("magic"));
    contoso
        .post("/v1/opportunities", &wrong)
        .await
        .refuses(422, "validationFailed");
    let nobody = seen.by(world.admin("adventureworks"));
    nobody
        .post("/v1/opportunities", &minimal)
        .await
        .refuses(403, "organizationUnknown");
    let litware = seen.by(world.admin("litware"));
    let invited = but(deal(&["fabrikam"]), "/solutions", json!(["cloud"]));
    litware
        .post("/v1/opportunities", &invited)
        .await
        .refuses(403, "notCoSellReady");

    let shown = contoso.get(&path).await;
    let tag = shown.is(200).header("etag");
    contoso
        .send(Method::GET, &path, &[("if-none-match", tag)], None)
        .await
        .is(304);
    for query in [
        "tab=outbound&limit=1",
        "tab=inbound",
        "tab=favorites",
        "tab=outbound&q=erp&stage=accepted",
    ] {
        contoso.get(&format!("/v1/opportunities?{query}")).await.is(200);
    }
    for (query, code) in [
        ("", "malformedParameter"),
        ("tab=inbound&limit=0", "malformedParameter"),
        ("tab=inbound&updatedSince=now", "malformedParameter"),
        ("tab=inbound&cursor=nonsense", "malformedCursor"),
    ] {
        contoso
            .get(&format!("/v1/opportunities?{query}"))
            .await
            .refuses(400, code);
    }
    let fabrikam = seen.by(world.admin("fabrikam"));
    fabrikam.get(&path).await.is(200);
    fabrikam.get("/v1/opportunities?tab=inbound").await.is(200);
    fabrikam.get("/v1/summary").await.is(200);
    contoso.get("/v1/summary").await.is(200);
    seen.by(world.client("contoso", &["seller"]))
        .get("/v1/summary")
        .await
        .is(200);
}

async fn invitations(seen: &Seen) {
    let world = World::start().await;
    let [contoso, fabrikam] = ["contoso", "fabrikam"].map(|organization| seen.by(world.admin(organization)));
    let deal = world.deal(&["fabrikam", "northwind"]).await;
    let invitations = format!("{deal}/invitations");
    let invite = |organization| {
        let body = but(invitation(organization), "/note", json!("Ask them\nfirst."));
        let (contoso, invitations) = (&contoso, &invitations);
        async move { contoso.post(invitations, &body).await }
    };
    invite("tailspin").await.is(201);
    invite("fabrikam").await.refuses(409, "alreadyInvited");
    invite("contoso").await.refuses(422, "validationFailed");
    fabrikam
        .post(&invitations, &invitation("litware"))
        .await
        .refuses(403, "notOwner");

    let withdraw = format!("{invitations}/tailspin");
    fabrikam.delete(&withdraw).await.refuses(403, "notOwner");
    let stale = [("if-match", r#""7-0123456789abcdef""#)];
    contoso
        .send(Method::DELETE, &withdraw, &stale, None)
        .await
        .refuses(412, "preconditionFailed");
    contoso.delete(&withdraw).await.is(204);
    contoso.delete(&withdraw).await.refuses(409, "wrongStage");
    contoso
        .delete(&format!("{invitations}/litware"))
        .await
        .refuses(404, "notFound");

    let response = format!("{deal}/response");
    let accept = json!({
        "decision": "accept", "name": "ERP", "estimatedValue": {"amount": "1.5", "currency": "EUR"}, "crmId": "1",
        "estimatedCloseDate": "2099-01-01", "campaignId": "c", "team": [{"name": "Ana"}], "note": "Ours.",
    });
    fabrikam.post(&response, &accept).await.is(200);
    fabrikam.post(&response, &accept).await.refuses(409, "wrongStage");
    invite("fabrikam").await.refuses(409, "alreadyParticipates");
    let decline = json!({"decision": "decline", "reason": "other"});
    let northwind = seen.by(world.admin("northwind"));
    northwind
        .post(&response, &decline)
        .await
        .has_faults(&[("/note", "noteRequired")]);
    let decline = json!({"decision": "decline", "reason": "other", "note": "We left this market."});
    northwind.post(&response, &decline).await.is(200);

    let history = format!("{deal}/history");
    let page = contoso.get(&format!("{history}?limit=2")).await;
    let cursor = page.is(200).body["nextCursor"].as_str().expect("a cursor").to_owned();
    contoso.get(&format!("{history}?cursor={cursor}")).await.is(200);
    fabrikam.get(&history).await.is(200);
    contoso
        .get(&format!("{history}?cursor={cursor}x"))
        .await
        .refuses(400, "malformedCursor");

    let close = format!("{deal}/close");
    let won = json!({"outcome": "won", "finalValue": {"amount": "2", "currency": "EUR"}, "note": "At last."});
    fabrikam.post(&close, &won).await.is(200);
    fabrikam.post(&close, &won).await.refuses(409, "wrongStage");
    contoso
        .post(&close, &json!({"outcome": "lost", "reason": "budget"}))
        .await
        .is(200);
    invite("litware").await.refuses(409, "wrongStage");
    for client in [&contoso, &fabrikam, &northwind] {
        for path in [&*deal, &*history, "/v1/summary", "/v1/opportunities?tab=inbound"] {
            client.get(path).await.is(200);
        }
    }
}

async fn a_crowd(seen: &Seen) {
    let world = World::start().await;
    let partners: Vec<String> = (1..10).map(|number| format!("partner-{number}")).collect();
    let line = |id| json!({"kind": "organization", "id": id, "name": id, "organizationKind": "partner"}).to_string();
    let lines: Vec<_> = partners.iter().map(line).collect();
    world.stack.import(&lines.join("\n")).await.expect("the import runs");
    let contoso = seen.by(world.admin("contoso"));
    let invited: Vec<_> = partners.iter().map(String::as_str).collect();
    let created = contoso.post("/v1/opportunities", &deal(&invited)).await;
    let invitations = format!("{}/invitations", created.is(201).header("location"));
    contoso
        .post(&invitations, &invitation("fabrikam"))
        .await
        .refuses(409, "tooManyParticipants");
}

async fn changes(seen: &Seen) {
    let world = World::start().await;
    let contoso = seen.by(world.admin("contoso"));
    let deal = world.deal(&[]).await;
    let patch = json!({
        "name": "Another", "estimatedValue": {"amount": "7.25"}, "estimatedCloseDate": "2099-06-30", "crmId": null,
        "campaignId": "q3", "team": [{"name": "Carla", "phone": "+14255550111", "email": "carla@contoso.example"}],
        "solutions": ["cloud"], "customer": {"contact": {"name": "Lee", "phone": null}},
    });
    contoso.patch(&deal, &patch).await.is(200);
    contoso.get(&format!("{deal}/history")).await.is(200);
    contoso
        .patch(&deal, &json!({"customer": {"contact": null}}))
        .await
        .is(200);
    contoso
        .patch(&deal, &json!({"name": null}))
        .await
        .has_faults(&[("/name", "required")]);
    let send = |headers| {
        let (contoso, deal, patch) = (&contoso, &deal, &patch);
        async move { contoso.send(Method::PATCH, deal, headers, Some(patch)).await }
    };
    send(&[JSON]).await.refuses(428, "preconditionRequired");
    send(&[JSON, ("if-match", "1")])
        .await
        .refuses(400, "malformedParameter");
    send(&[JSON, ("if-match", r#""1-0123456789abcdef""#)])
        .await
        .refuses(412, "preconditionFailed");
    let close = json!({"outcome": "lost", "reason": "other", "note": "The project was cancelled."});
    contoso.post(&format!("{deal}/close"), &close).await.is(200);
    send(&[JSON, ("if-match", "*")]).await.refuses(409, "wrongStage");
}

async fn notes_and_marks(seen: &Seen) {
    let world = World::start().await;
    let contoso = seen.by(world.admin("contoso"));
    let deal = world.accepted_deal().await;
    let notes = format!("{deal}/notes");
    for visibility in ["internal", "shared"] {
        contoso
            .post(&notes, &json!({"text": "A\nB", "visibility": visibility}))
            .await
            .is(201);
    }
    contoso.get(&format!("{notes}?limit=1")).await.is(200);
    seen.by(world.admin("fabrikam")).get(&notes).await.is(200);
    let favorite = format!("{deal}/favorite");
    contoso.send(Method::PUT, &favorite, &[], None).await.is(204);
    contoso.get("/v1/opportunities?tab=favorites").await.is(200);
    contoso.delete(&favorite).await.is(204);
    contoso
        .post(&format!("{deal}/close"), &json!({"outcome": "won"}))
        .await
        .is(200);
    contoso
        .post(&notes, &json!({"text": "Late", "visibility": "shared"}))
        .await
        .refuses(409, "wrongStage");
}

async fn replays(seen: &Seen) {
    let world = World::start().await;
    let contoso = seen.by(world.admin("contoso"));
    let keyed = |body| {
        let contoso = &contoso;
        async move {
            let headers = [JSON, ("idempotency-key", "a key")];
            contoso
                .send(Method::POST, "/v1/opportunities", &headers, Some(&body))
                .await
        }
    };
    let first = keyed(deal(&[])).await;
    assert_eq!(
        keyed(deal(&[])).await.body,
        first.is(201).body,
        "a replay is the first answer"
    );
    keyed(deal(&["fabrikam"])).await.refuses(422, "idempotencyKeyReused");
}

async fn notifications(seen: &Seen) {
    let world = World::telling().await;
    let contoso = seen.by(world.admin("contoso"));
    world.deal(&["fabrikam", "northwind"]).await;
    for organization in ["fabrikam", "northwind"] {
        let invited = seen.by(world.admin(organization));
        let told = || async {
            let page = invited.get("/v1/notifications").await;
            (page.is(200).body["items"] != json!([])).then_some(page)
        };
        let page = eventually("the invited organization is told", told).await;
        let deal = page.body["items"][0]["dealId"].as_str().expect("a deal");
        let decline = json!({"decision": "decline", "reason": "budget"});
        let response = format!("/v1/opportunities/{deal}/response");
        invited.post(&response, &decline).await.is(200);
    }
    let told = || async {
        let page = contoso.get("/v1/notifications?limit=1").await;
        page.is(200).body["nextCursor"].as_str().map(str::to_owned)
    };
    let cursor = eventually("the owner is told", told).await;
    contoso.get(&format!("/v1/notifications?cursor={cursor}")).await.is(200);
    contoso
        .get("/v1/notifications?cursor=nonsense")
        .await
        .refuses(400, "malformedCursor");
}

async fn registrations(seen: &Seen) {
    let world = World::telling().await;
    let [contoso, fabrikam] = ["contoso", "fabrikam"].map(|organization| seen.by(world.admin(organization)));
    let put = |path: String, body: Value| {
        let fabrikam = &fabrikam;
        async move { fabrikam.send(Method::PUT, &path, &[JSON], Some(&body)).await }
    };
    let deal = world.accepted_deal().await;
    let own = format!("{deal}/registration");
    put(own.clone(), registration()).await.refuses(409, "wrongStage");
    let won = json!({"outcome": "won"});
    let answer = fabrikam.post(&format!("{deal}/close"), &won).await;
    assert_eq!(answer.is(200).body["registrableSolutions"], json!(["erp"]));
    contoso
        .send(Method::PUT, &own, &[JSON], Some(&registration()))
        .await
        .refuses(403, "notPartner");
    let wrong = but(registration(), "/signedDate", json!(day(1)));
    let wrong = but(wrong, "/endDate", json!("2098-01-01"));
    put(own.clone(), wrong).await.is(422);
    let whole = but(registration(), "/tenantReference", json!("adatum-prod"));
    let whole = but(whole, "/note", json!("Signed\nby both."));
    let first = put(own.clone(), whole.clone()).await;
    let review = format!(
        "/v1/registrations/{}/review",
        first.is(201).body["id"].as_str().expect("an id")
    );
    let shown = review.trim_end_matches("/review");
    put(own.clone(), whole).await.is(200);
    put(own.clone(), registration()).await.refuses(409, "wrongStatus");
    for (client, path) in [(&fabrikam, &*own), (&contoso, shown)] {
        let answer = client.get(path).await;
        let tag = [("if-none-match", answer.is(200).header("etag"))];
        client.send(Method::GET, path, &tag, None).await.is(304);
    }
    for client in [&contoso, &fabrikam] {
        client.get("/v1/registrations?status=submitted&limit=1").await.is(200);
        client.get("/v1/registrations").await.is(200);
        client
            .get("/v1/registrations?cursor=nonsense")
            .await
            .refuses(400, "malformedCursor");
    }
    contoso
        .post(&review, &json!({"decision": "reject"}))
        .await
        .has_faults(&[("/reason", "required")]);
    fabrikam
        .post(&review, &json!({"decision": "approve"}))
        .await
        .refuses(403, "notVendor");
    let more = json!({"decision": "requestInfo", "reason": "Which tenant?"});
    contoso.post(&review, &more).await.is(200);
    contoso.post(&review, &more).await.refuses(409, "wrongStatus");
    let stale = [JSON, ("if-match", r#""1-0123456789abcdef""#)];
    fabrikam
        .send(Method::PUT, &own, &stale, Some(&registration()))
        .await
        .refuses(412, "preconditionFailed");
    put(own.clone(), registration()).await.is(200);
    contoso
        .post(&review, &json!({"decision": "approve", "reason": "Well done."}))
        .await
        .is(200);
    // A partner's own deal, of which the vendor knows nothing else.
    let private = fabrikam
        .post("/v1/opportunities", &but(tests::deal(&[]), "/note", json!("Ours.")))
        .await;
    let private = private.is(201).header("location").to_owned();
    fabrikam.post(&format!("{private}/close"), &won).await.is(200);
    let other = put(format!("{private}/registration"), registration()).await;
    let review = format!(
        "/v1/registrations/{}/review",
        other.is(201).body["id"].as_str().expect("an id")
    );
    let reject = json!({"decision": "reject", "reason": "It is registered already."});
    assert_eq!(contoso.post(&review, &reject).await.is(200).body["dealId"], Value::Null);

    for path in [&*deal, &*format!("{deal}/history"), "/v1/opportunities?tab=inbound"] {
        fabrikam.get(path).await.is(200);
    }
    // Fabrikam accepts and wins, registers twice, and registers another.
    for (client, count) in [(&contoso, 5), (&fabrikam, 4)] {
        client.client.told(count).await;
        client.get("/v1/notifications?limit=100").await.is(200);
    }
}

async fn webhooks(seen: &Seen) {
    let world = World::start().await;
    let contoso = seen.by(world.admin("contoso"));
    let created = contoso.post("/v1/webhooks", &webhook()).await;
    let path = created.is(201).header("location").to_owned();
    let some = but(webhook(), "/eventTypes", json!(["Opportunity Received", "Note Shared"]));
    contoso.post("/v1/webhooks", &some).await.is(201);
    contoso.get("/v1/webhooks").await.is(200);
    contoso.get(&path).await.is(200);
    contoso
        .send(Method::POST, &format!("{path}/test"), &[], None)
        .await
        .is(202);
    contoso.post(&format!("{path}/test"), &json!({})).await.is(202);
    let deliveries = format!("{path}/deliveries");
    let tried = || async {
        let page = contoso.get(&deliveries).await;
        (page.is(200).body["items"] != json!([])).then_some(())
    };
    eventually("the test event was delivered, or could not be", tried).await;
    for (url, code) in [
        ("https://hooks.contoso.invalid", "hostNotFound"),
        ("nonsense", "invalidUrl"),
        ("https://10.0.0.1/", "privateAddress"),
    ] {
        contoso
            .post("/v1/webhooks", &json!({"url": url}))
            .await
            .has_faults(&[("/url", code)]);
    }
    contoso.delete(&path).await.is(204);
    contoso.get(&path).await.refuses(404, "notFound");
    for role in ["seller", "viewer"] {
        let client = seen.by(world.client("contoso", &[role]));
        client.get("/v1/webhooks").await.refuses(403, "forbidden");
    }
}

async fn directory(seen: &Seen) {
    let world = World::start().await;
    let contoso = seen.by(world.admin("contoso"));
    world.deal(&["fabrikam"]).await;
    let changed = json!({"name": "Contoso AG", "countries": ["DE", "US"], "solutionAreas": ["Cloud"]});
    contoso.patch("/v1/organizations/me", &changed).await.is(200);
    let emptied = json!({"countries": null, "solutionAreas": null});
    contoso.patch("/v1/organizations/me", &emptied).await.is(200);
    let shown = contoso.get("/v1/organizations/me").await;
    let known = [("if-none-match", shown.is(200).header("etag"))];
    contoso
        .send(Method::GET, "/v1/organizations/me", &known, None)
        .await
        .is(304);
    let stale = [JSON, ("if-match", r#""1-0123456789abcdef""#)];
    contoso
        .send(Method::PATCH, "/v1/organizations/me", &stale, Some(&changed))
        .await
        .refuses(412, "preconditionFailed");
    contoso
        .send(Method::PATCH, "/v1/organizations/me", &[JSON], Some(&changed))
        .await
        .refuses(428, "preconditionRequired");
    contoso
        .patch("/v1/organizations/me", &json!({"name": null}))
        .await
        .has_faults(&[("/name", "required")]);
    let nobody = seen.by(world.admin("adventureworks"));
    nobody.get("/v1/organizations/me").await.refuses(404, "notFound");
    nobody
        .patch("/v1/organizations/me", &changed)
        .await
        .refuses(404, "notFound");
    for path in [
        "/v1/customers?country=US&q=ada",
        "/v1/contacts/recent",
        "/v1/solutions",
        "/v1/solutions?type=own&limit=1",
        "/v1/solutions?type=thirdParty&q=erp",
    ] {
        contoso.get(path).await.is(200);
    }
    for path in [
        "/v1/customers?country=US",
        "/v1/customers?q=ada",
        "/v1/customers?country=US&q=%26",
        "/v1/solutions?type=mine",
    ] {
        contoso.get(path).await.refuses(400, "malformedParameter");
    }
    for path in ["/v1/contacts/recent", "/v1/solutions"] {
        contoso
            .get(&format!("{path}?cursor=nonsense"))
            .await
            .refuses(400, "malformedCursor");
    }
}

async fn partners(seen: &Seen) {
    let world = World::start().await;
    let [contoso, fabrikam] = ["contoso", "fabrikam"].map(|organization| seen.by(world.admin(organization)));
    world.accepted_deal().await;
    let batch = world.batch(Duration::ZERO).await;
    world.stack.invoke("notify", batch).await.expect("it runs");
    let deal = world.deal(&["fabrikam"]).await;
    let of_deal = format!("{deal}/partners");
    for list in [
        "/v1/partners?country=US&solution=erp&q=a&limit=1",
        &format!("{of_deal}?limit=1"),
    ] {
        let page = contoso.get(list).await;
        let cursor = page.is(200).body["nextCursor"].as_str().expect("more").to_owned();
        contoso.get(&format!("{list}&cursor={cursor}")).await.is(200);
        contoso
            .get(&format!("{list}&cursor={cursor}x"))
            .await
            .refuses(400, "malformedCursor");
    }
    contoso.get("/v1/partners").await.is(200);
    contoso
        .get("/v1/partners?solution=nothing")
        .await
        .refuses(400, "malformedParameter");
    fabrikam.get(&of_deal).await.refuses(403, "notOwner");
    for client in [&contoso, &fabrikam] {
        client.get("/v1/partners/me").await.is(200);
    }
    let nobody = seen.by(world.admin("adventureworks"));
    nobody.get("/v1/partners/me").await.refuses(404, "notFound");
    let won = json!({"outcome": "won"});
    contoso.post(&format!("{deal}/close"), &won).await.is(200);
    contoso.get(&of_deal).await.refuses(409, "wrongStage");
}

/// A right request for a webhook; nothing listens there.
fn webhook() -> Value {
    json!({"url": "https://127.0.0.1:1/cosell"})
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_refuses_alike() {
    let world = &World::start().await;
    let (seen, contoso) = (Seen::default(), world.admin("contoso"));
    let claims = Claims {
        org: String::new(),
        roles: vec!["referrals_admin".to_owned()],
        email: "somebody@contoso.example".to_owned(),
        name: None,
        sub: "somebody".to_owned(),
    };
    let without_organization = world.bearer(&local::token(SECRET, &claims, TimeDelta::hours(1)));
    let long = format!("{{\"name\": \"{}\"}}", "a".repeat(256 * 1024));
    for route in &DOCUMENT.routes {
        let path = Document::path(route);
        let example = DOCUMENT.example(route);
        let media_type = example
            .as_ref()
            .map_or("application/json", |(media_type, _)| media_type);
        let headers = [("content-type", media_type), ("if-match", "*")];
        let body = example.as_ref().map(|(_, body)| body.to_string());
        let asked = |client: &Client, path: String, more: Vec<(&'static str, &'static str)>, body: Option<String>| {
            let (client, seen) = (client.clone(), &seen);
            let method: Method = route.method.parse().expect("a method");
            let mut all = BTreeMap::from(headers);
            all.extend(more);
            let headers: Vec<_> = all.into_iter().collect();
            async move {
                let answer = client.send(method.clone(), &path, &headers, body).await;
                seen.check(&method, &path, None, &answer);
                answer
            }
        };
        let answer = asked(&world.nobody(), path.clone(), vec![], body.clone()).await;
        assert_eq!(
            (answer.status, &answer.body),
            (401, &json!({"message": "Unauthorized"}))
        );
        asked(&without_organization, path.clone(), vec![], body.clone())
            .await
            .refuses(401, "unauthorized");
        let operator = world.client("contoso", &["exchange_admin"]);
        asked(&operator, path.clone(), vec![], body.clone())
            .await
            .refuses(403, "forbidden");
        let more = if path.contains('?') { "&color=red" } else { "?color=red" };
        asked(&contoso, format!("{path}{more}"), vec![], body.clone())
            .await
            .refuses(400, "malformedParameter");
        if route.path.contains("{id}") {
            asked(&contoso, path.clone(), vec![], body.clone())
                .await
                .refuses(404, "notFound");
            let no_route = contoso
                .send(
                    route.method.parse().expect("a method"),
                    &path.replace(UNKNOWN, "a%2Fb"),
                    &[],
                    None,
                )
                .await;
            assert_eq!(
                (no_route.status, &no_route.body),
                (404, &json!({"message": "Not Found"}))
            );
        }
        if body.is_some() {
            let text = vec![("content-type", "text/plain")];
            asked(&contoso, path.clone(), text, body.clone())
                .await
                .refuses(415, "unsupportedMediaType");
            asked(&contoso, path.clone(), vec![], Some("{".to_owned()))
                .await
                .refuses(400, "malformedJson");
            asked(&contoso, path.clone(), vec![], Some(long.clone()))
                .await
                .refuses(413, "tooLarge");
        }
        if route.method == "POST" {
            let key = vec![("idempotency-key", "")];
            asked(&contoso, path.clone(), key, body.clone())
                .await
                .refuses(400, "malformedParameter");
        }
    }
}

/// A request body as its schema has it, one for each choice that the schema leaves.
#[derive(Clone, Debug)]
enum Shape {
    Object(BTreeMap<String, Shape>, BTreeSet<String>),
    Array(Box<Shape>),
    /// The one value that tells this choice from another.
    Const(Value),
    Scalar,
}

impl Shape {
    fn of(schema: &Place<'_>) -> Vec<Self> {
        for keyword in ["oneOf", "anyOf"] {
            if let Some(choices) = schema.value.get(keyword).and_then(Value::as_array) {
                let choices = (0..choices.len()).map(|index| {
                    let pointer = format!("{}/{keyword}/{index}", schema.pointer);
                    DOCUMENT.at(&pointer)
                });
                let choices = choices.filter(|choice| choice.value["type"] != "null");
                return choices.flat_map(|choice| Self::of(&choice)).collect();
            }
        }
        if let Some(reference) = schema.value.get("$ref").and_then(Value::as_str) {
            return Self::of(&DOCUMENT.at(&reference[1..]));
        }
        if let Some(items) = schema.then("items") {
            return Self::of(&items)
                .into_iter()
                .map(|item| Self::Array(Box::new(item)))
                .collect();
        }
        if schema.value["type"] == "object" {
            return Self::objects(schema);
        }
        match &schema.value["const"] {
            Value::String(text) => vec![Self::Const(json!(text))],
            _ => vec![Self::Scalar],
        }
    }

    fn objects(schema: &Place<'_>) -> Vec<Self> {
        assert_eq!(schema.value["additionalProperties"], false, "{}", schema.pointer);
        let required = schema.value["required"].as_array().into_iter().flatten();
        let required: BTreeSet<_> = required.filter_map(Value::as_str).map(str::to_owned).collect();
        let properties = schema.then("properties");
        let choices: BTreeMap<_, _> = properties
            .iter()
            .flat_map(Place::members)
            .map(|(name, property)| (name.clone(), Self::of(&property)))
            .collect();
        let first: BTreeMap<_, _> = choices
            .iter()
            .map(|(name, choices)| (name.clone(), choices[0].clone()))
            .collect();
        let others = choices
            .iter()
            .flat_map(|(name, choices)| choices[1..].iter().map(move |other| (name, other)));
        let others = others.map(|(name, other)| {
            let mut properties = first.clone();
            properties.insert(name.clone(), other.clone());
            properties
        });
        std::iter::once(first.clone())
            .chain(others)
            .map(|properties| Self::Object(properties, required.clone()))
            .collect()
    }

    /// With every documented field, and one that is not in each object.
    fn with_strangers(&self) -> Value {
        match self {
            Self::Object(properties, _) => {
                let fields = properties
                    .iter()
                    .map(|(name, shape)| (name.clone(), shape.with_strangers()));
                fields.chain([("stranger".to_owned(), json!(1))]).collect()
            }
            Self::Array(item) => json!([item.with_strangers()]),
            Self::Const(value) => value.clone(),
            Self::Scalar => json!("?"),
        }
    }

    /// With every documented field, save that an object has none but what tells the choice. What is required is `null`, which
    /// counts as not there.
    fn with_nothing_at(&self, place: &str, pointer: &str) -> Value {
        match self {
            Self::Object(properties, required) if place == pointer => {
                let kept = properties.iter().filter_map(|(name, shape)| match shape {
                    Self::Const(value) => Some((name.clone(), value.clone())),
                    _ => required.contains(name).then(|| (name.clone(), Value::Null)),
                });
                kept.collect()
            }
            Self::Object(properties, _) => {
                let fields = properties.iter().map(|(name, shape)| {
                    let value = shape.with_nothing_at(place, &format!("{pointer}/{name}"));
                    (name.clone(), value)
                });
                Value::Object(fields.collect::<Map<_, _>>())
            }
            Self::Array(item) => json!([item.with_nothing_at(place, &format!("{pointer}/0"))]),
            Self::Const(value) => value.clone(),
            Self::Scalar => json!("?"),
        }
    }

    /// The objects that it is made of.
    fn each_object(&self, pointer: &str, found: &mut Vec<Fields>) {
        match self {
            Self::Object(properties, required) => {
                let is_const = |name: &&String| matches!(properties[*name], Self::Const(_));
                found.push(Fields {
                    place: pointer.to_owned(),
                    all: properties.keys().cloned().collect(),
                    required: required.iter().filter(|name| !is_const(name)).cloned().collect(),
                });
                for (name, shape) in properties {
                    shape.each_object(&format!("{pointer}/{name}"), found);
                }
            }
            Self::Array(item) => item.each_object(&format!("{pointer}/0"), found),
            Self::Const(_) | Self::Scalar => {}
        }
    }
}

/// The documented fields of an object in a request.
struct Fields {
    place: String,
    all: BTreeSet<String>,
    /// Save what tells one choice from another.
    required: BTreeSet<String>,
}

/// The faults that have one of these codes: pointers and messages.
fn told<'a>(answer: &'a Answer, codes: &[&str]) -> BTreeMap<&'a str, &'a str> {
    answer.refuses(422, "validationFailed");
    let faults = answer.body["errors"].as_array().expect("errors").iter();
    let faults = faults.filter(|fault| codes.iter().any(|code| fault["code"] == *code));
    let text = |fault: &'a Value, name: &str| fault[name].as_str().expect("a text");
    faults
        .map(|fault| (text(fault, "pointer"), text(fault, "message")))
        .collect()
}

#[tokio::test]
async fn the_fields_of_a_request_are_those_of_the_document() {
    let world = World::start().await;
    let [contoso, fabrikam] = ["contoso", "fabrikam"].map(|organization| world.admin(organization));
    let deal = world.deal(&["fabrikam"]).await;
    let (won, (_, registration)) = (
        world.won_deal("fabrikam").await,
        world.registered_deal("fabrikam").await,
    );
    for route in &DOCUMENT.routes {
        let operation = DOCUMENT.operation(route);
        let Some(body) = operation.then("requestBody") else {
            continue;
        };
        // The invited organization answers, and registers what it has won; all else is the owner's.
        let client = match route.function.as_str() {
            "respondToInvitation" | "registerDeal" => &fabrikam,
            _ => &contoso,
        };
        let path = if route.function == "testWebhook" {
            let created = contoso.post("/v1/webhooks", &webhook()).await;
            format!("{}/test", created.is(201).header("location"))
        } else {
            let deal = if route.function == "registerDeal" { &won } else { &deal };
            let path = route.path.replace("/v1/opportunities/{id}", deal);
            path.replace("/v1/registrations/{id}", &format!("/v1/registrations/{registration}"))
        };
        let method: Method = route.method.parse().expect("a method");
        for (media_type, content) in body.then("content").expect("content").members() {
            let headers = [("content-type", media_type.as_str()), ("if-match", "*")];
            let send = |body: Value| client.send(method.clone(), &path, &headers, Some(body.to_string()));
            for shape in Shape::of(&content.then("schema").expect("a schema")) {
                let mut objects = Vec::new();
                shape.each_object("", &mut objects);
                let answer = send(shape.with_strangers()).await;
                let strangers = told(&answer, &["unknownField", "notAllowed"]);
                assert_eq!(strangers.len(), objects.len(), "only the strangers: {answer}");
                for Fields { place, all, required } in objects {
                    let message = strangers
                        .get(&*format!("{place}/stranger"))
                        .unwrap_or_else(|| panic!("one is let in at {place:?}: {answer}"));
                    // Where there are none, it says so.
                    let fields = message.split_once("the fields are ").map_or("", |(_, fields)| fields);
                    let fields = fields.split(", ").filter(|name| !name.is_empty());
                    assert_eq!(
                        fields.map(str::to_owned).collect::<BTreeSet<_>>(),
                        all,
                        "at {place:?}: {answer}"
                    );

                    let mut body = shape.with_nothing_at(&place, "");
                    if let Some(invitations) = body.get_mut("invitations").filter(|_| place.starts_with("/customer")) {
                        // They ask for more of the customer: the whole contact.
                        *invitations = Value::Null;
                    }
                    // So that it is refused, and tried on the same deal again.
                    body["stranger"] = json!(1);
                    let answer = send(body).await;
                    let here = told(&answer, &["required", "noteRequired"]).into_keys();
                    let here = here.filter_map(|pointer| pointer.strip_prefix(&place)?.strip_prefix('/'));
                    let here: BTreeSet<_> = here.filter(|name| !name.contains('/')).map(str::to_owned).collect();
                    assert_eq!(here, required, "at {place:?}: {answer}");
                }
            }
        }
    }
}
