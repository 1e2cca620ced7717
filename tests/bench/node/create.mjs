// POST /v1/opportunities, as a good engineer would write it for Node: the modular SDK, one client for each process with
// connections that are kept, everything wrong told at once, the same reads, one transaction of the same items.
import { createHash } from "node:crypto";

import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { BatchGetCommand, DynamoDBDocumentClient, QueryCommand, TransactWriteCommand } from "@aws-sdk/lib-dynamodb";
import { ulid } from "ulid";

const TABLE = process.env.COSELL_TABLE;
const WINDOW_MS = 14 * 24 * 60 * 60 * 1000;
const REMINDER_MS = 3 * 24 * 60 * 60 * 1000;
const HELP = new Set([
  "technicalArchitecture", "proofOfConcept", "quotesOrLicensing", "postSales", "workloadValueProposition", "businessStrategy",
  "dealDesk", "general",
]);

const client = DynamoDBDocumentClient.from(new DynamoDBClient({}), { marshallOptions: { removeUndefinedValues: true } });

class Refusal extends Error {
  constructor(status, code, errors) {
    super(code);
    Object.assign(this, { status, code, errors });
  }
}

/** Collects all that is wrong with a request. */
class Faults {
  errors = [];

  add(pointer, code, message) {
    this.errors.push({ pointer, code, message });
  }

  text(value, pointer, most, required = true) {
    if (value === undefined || value === null) {
      if (required) this.add(pointer, "required", "is required");
    } else if (typeof value !== "string") {
      this.add(pointer, "invalidType", "must be a string");
    } else if ([...value].length < 1 || [...value].length > most) {
      this.add(pointer, "invalidLength", `must have 1 to ${most} characters`);
    }
  }

  match(value, pointer, pattern, code) {
    if (typeof value !== "string" || !pattern.test(value)) this.add(pointer, code, `must match ${pattern}`);
  }

  end() {
    if (this.errors.length > 0) throw new Refusal(422, "validationFailed", this.errors);
  }

  known(value, pointer, names) {
    for (const name of Object.keys(value ?? {})) {
      if (!names.includes(name)) this.add(`${pointer}/${name}`, "unknownField", "is not a field");
    }
  }

  list(value, pointer, most, each) {
    if (!Array.isArray(value) || value.length < 1 || value.length > most) {
      this.add(pointer, "invalidLength", `must have 1 to ${most} items`);
    } else {
      value.forEach((item, index) => each(item, `${pointer}/${index}`));
    }
  }
}

const PHONE = /^\+[1-9]\d{1,14}$/;
const EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@]+$/;
const AMOUNT = /^(0|[1-9]\d{0,14})(\.\d{1,4})?$/;

function validate(body, now) {
  const faults = new Faults();
  const fields = ["name", "estimatedValue", "estimatedCloseDate", "crmId", "campaignId", "customer", "team", "solutions", "invitations", "note"];
  faults.known(body, "", fields);
  faults.text(body.name, "/name", 255);
  faults.match(body.estimatedValue?.amount, "/estimatedValue/amount", AMOUNT, "invalidAmount");
  faults.match(body.estimatedValue?.currency, "/estimatedValue/currency", /^[A-Z]{3}$/, "invalidCurrency");
  faults.match(body.estimatedCloseDate, "/estimatedCloseDate", /^\d{4}-\d\d-\d\d$/, "invalidDate");
  if (body.estimatedCloseDate < now.toISOString().slice(0, 10)) faults.add("/estimatedCloseDate", "inThePast", "must not be in the past");
  faults.text(body.crmId, "/crmId", 64, false);
  faults.text(body.campaignId, "/campaignId", 64, false);
  const { customer } = body;
  faults.known(customer, "/customer", ["id", "name", "country", "address", "dunsNumber", "contact"]);
  faults.text(customer?.name, "/customer/name", 120);
  faults.match(customer?.country, "/customer/country", /^[A-Z]{2}$/, "invalidCountry");
  if (customer?.dunsNumber !== undefined) faults.match(customer.dunsNumber, "/customer/dunsNumber", /^\d{9}$/, "invalidDunsNumber");
  const person = (value, pointer) => {
    faults.known(value, pointer, ["name", "phone", "email"]);
    faults.text(value?.name, `${pointer}/name`, 80);
    faults.match(value?.phone, `${pointer}/phone`, PHONE, "invalidPhone");
    faults.match(value?.email, `${pointer}/email`, EMAIL, "invalidEmail");
  };
  if (body.invitations) person(customer?.contact, "/customer/contact");
  faults.list(body.team, "/team", 50, person);
  faults.list(body.solutions, "/solutions", 50, (id, pointer) => faults.text(id, pointer, 64));
  if (body.invitations) {
    faults.list(body.invitations, "/invitations", 9, (invitation, pointer) => {
      faults.known(invitation, pointer, ["organizationId", "helpType", "message", "contacts", "customerConsent"]);
      faults.text(invitation.organizationId, `${pointer}/organizationId`, 64);
      faults.text(invitation.message, `${pointer}/message`, 2000);
      if (!HELP.has(invitation.helpType)) faults.add(`${pointer}/helpType`, "invalidChoice", "must be a kind of help");
      if (invitation.customerConsent !== true) faults.add(`${pointer}/customerConsent`, "noConsent", "must be true");
    });
  }
  faults.end();
}

const organizationKey = (id) => ({ pk: `ORG#${id}`, sk: "PROFILE" });
const shard = (id) => String(createHash("sha256").update(id).digest()[0] % 16).padStart(2, "0");
const solutionKey = (id) => ({ pk: `SOLUTIONS#${shard(id)}`, sk: id });

async function catalog(organizations, solutions) {
  const keys = [...organizations.map(organizationKey), ...solutions.map(solutionKey)];
  const answer = await client.send(new BatchGetCommand({ RequestItems: { [TABLE]: { Keys: keys } }, ReturnConsumedCapacity: "TOTAL" }));
  return new Map((answer.Responses?.[TABLE] ?? []).map((item) => [item.id, item]));
}

/** Roles may be a list, `[a b]` as API Gateway flattens one, or `a b`. */
function roles(claim) {
  return Array.isArray(claim) ? claim : String(claim ?? "").replace(/^\[|\]$/g, "").split(/[\s,]+/);
}

async function create(event) {
  const claims = event.requestContext?.authorizer?.jwt?.claims;
  if (!claims?.sub || !claims.org) throw new Refusal(401, "unauthorized");
  if (!roles(claims.roles).some((role) => ["partner_admin", "referrals_admin", "seller"].includes(role))) throw new Refusal(403, "forbidden");
  const text = event.isBase64Encoded ? Buffer.from(event.body, "base64").toString() : event.body;
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    throw new Refusal(400, "malformedJson");
  }
  const now = new Date();
  validate(body, now);
  const invitations = body.invitations ?? [];
  const organizations = [claims.org, ...invitations.map((invitation) => invitation.organizationId)];
  const found = await catalog(organizations, body.solutions);
  const faults = new Faults();
  organizations.forEach((id, index) => {
    if (!found.has(id)) faults.add(`/invitations/${index - 1}/organizationId`, "unknownOrganization", "is not an organization");
  });
  body.solutions.forEach((id, index) => {
    if (!found.get(id)?.coSellReady) faults.add(`/solutions/${index}`, "unknownSolution", "is no co-sell ready solution");
  });
  faults.end();

  const identity = body.customer.dunsNumber ?? `${body.customer.country}#${body.customer.name.toLowerCase()}`;
  const customerPk = `ORG#${claims.org}#CUSTOMER#${createHash("sha256").update(identity).digest("hex").slice(0, 32)}`;
  const query = new QueryCommand({
    TableName: TABLE,
    IndexName: "byCustomer",
    KeyConditionExpression: "#key = :key",
    ExpressionAttributeNames: { "#key": "customerPk" },
    ExpressionAttributeValues: { ":key": customerPk },
    ReturnConsumedCapacity: "TOTAL",
  });
  const duplicates = (await client.send(query)).Items ?? [];

  const id = ulid(now.getTime());
  const at = now.toISOString();
  const respondBy = new Date(now.getTime() + WINDOW_MS).toISOString();
  const remindAt = new Date(now.getTime() + WINDOW_MS - REMINDER_MS).toISOString();
  const solutions = body.solutions.map((id) => ({ id, name: found.get(id).name, publisher: found.get(id).publisher }));
  const participants = organizations.map((organizationId, index) => ({
    organizationId,
    stage: index === 0 ? "accepted" : "received",
    outcome: null,
    respondBy: index === 0 ? null : respondBy,
  }));
  const common = { dealId: id, name: body.name, estimatedValue: body.estimatedValue, estimatedCloseDate: body.estimatedCloseDate, customer: body.customer, solutions, version: 1, createdAt: at, updatedAt: at };
  const own = {
    ...common, pk: `DEAL#${id}`, sk: `ORG#${claims.org}`, organizationId: claims.org, direction: "outbound", stage: "accepted", crmId: body.crmId,
    campaignId: body.campaignId, team: body.team, customerPk, customerSk: id,
    tabPk: `ORG#${claims.org}#outbound#accepted`, tabSk: `${at}#${id}`,
  };
  const views = invitations.map((invitation) => ({
    ...common, pk: `DEAL#${id}`, sk: `ORG#${invitation.organizationId}`, organizationId: invitation.organizationId, direction: "inbound",
    stage: "received", invitation: { from: claims.org, ...invitation, sentAt: at, respondBy },
    tabPk: `ORG#${invitation.organizationId}#inbound#received`, tabSk: `${respondBy}#${id}`,
    duePk: `DUE#${shard(id)}`, dueSk: `${remindAt}#${id}#${invitation.organizationId}`,
  }));
  const eventId = ulid(now.getTime());
  const written = {
    pk: `DEAL#${id}`, sk: `EVENT#${eventId}`, duePk: `TOLD#${shard(id)}`, dueSk: `${eventId}#${id}`, type: "created", at, actor: { organizationId: claims.org, userId: claims.sub },
    notices: views.map((view) => ({ id: ulid(), recipient: view.organizationId, snapshot: common, respondBy })),
  };
  const answer = JSON.stringify({
    ...common, id, direction: "outbound", dealType: views.length > 0 ? "coSell" : "privatePipeline", stage: "accepted", outcome: null,
    organizationId: claims.org, crmId: body.crmId ?? null, campaignId: body.campaignId ?? null, team: body.team, participants, favorite: false,
    possibleDuplicates: duplicates.map(({ dealId, name, stage }) => ({ id: dealId, name, stage })),
  });
  const etag = `"1-${createHash("sha256").update(answer).digest("hex").slice(0, 16)}"`;
  const response = { statusCode: 201, headers: { "content-type": "application/json", location: `/v1/opportunities/${id}`, etag }, body: answer };
  const items = [own, ...views, written];
  const key = event.headers["idempotency-key"];
  if (key) {
    const fingerprint = createHash("sha256").update(`${event.rawPath}\n${text}`).digest("hex");
    items.push({ pk: `IDEM#${claims.org}#${key}`, sk: "IDEM", fingerprint, response, expiresAt: Math.floor(now.getTime() / 1000) + 86400 });
  }
  const puts = items.map((Item) => ({ Put: { TableName: TABLE, Item, ConditionExpression: "attribute_not_exists(pk)" } }));
  await client.send(new TransactWriteCommand({ TransactItems: puts, ReturnConsumedCapacity: "TOTAL" }));
  return response;
}

export async function handler(event) {
  const started = performance.now();
  try {
    const response = await create(event);
    console.log(JSON.stringify({ level: "INFO", outcome: "ok", status: response.statusCode, latencyMs: performance.now() - started }));
    return response;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { status, code, errors } = error;
    return { statusCode: status, headers: { "content-type": "application/problem+json" }, body: JSON.stringify({ status, code, errors }) };
  }
}
