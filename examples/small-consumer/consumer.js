// Consumes course sign-ups, keeps them in a file, and announces each. See README.md.
import amqplib from 'amqplib';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';

const SIGN_UPS = 'sign_ups';
const ACCEPTED = 'accepted_sign_ups';
const DEAD = 'dead_sign_ups';

// -- the state: one file, replaced as a whole, so that a crash leaves the old one or the new one

const file = path.join(process.env.DATA_DIR, 'sign-ups.json');
const signUps = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : {};

function save() {
  const draft = fs.openSync(`${file}.new`, 'w');
  fs.writeFileSync(draft, JSON.stringify(signUps));
  fs.fsyncSync(draft);
  fs.closeSync(draft);
  fs.renameSync(`${file}.new`, file);
}

// -- what others may look at: GET /sign-ups/ID and GET /total

function answer(request, response) {
  const [, what, id] = request.url.split('/');
  const found = what === 'total' ? { total: Object.keys(signUps).length } : signUps[id];
  response.writeHead(found ? 200 : 404, { 'content-type': 'application/json' });
  response.end(JSON.stringify(found ?? { error: 'not found' }));
}

await new Promise((listening) => {
  http.createServer(answer).listen(Number(process.env.PORT), '127.0.0.1', listening);
});

// -- the consumer

const connection = await amqplib.connect(process.env.AMQP_URL);
connection.on('error', (error) => console.error(`connection: ${error.message}`));
connection.on('close', () => process.exit(1)); // whoever runs us starts us again
const channel = await connection.createConfirmChannel();
await channel.assertQueue(DEAD);
await channel.assertQueue(ACCEPTED);
await channel.assertQueue(SIGN_UPS, { deadLetterExchange: '', deadLetterRoutingKey: DEAD });
await channel.prefetch(1);

function read(message) {
  try {
    const { id, course } = JSON.parse(message.content.toString());
    return id && course ? { id, course } : undefined;
  } catch {
    return undefined;
  }
}

async function handle(message) {
  const signUp = read(message);
  if (signUp === undefined) {
    channel.nack(message, false, false); // to the dead-letter queue
    return;
  }
  if (!(signUp.id in signUps)) {
    signUps[signUp.id] = signUp;
    save();
  }
  // Announced on every delivery: the one before may have died first. The id is that of the sign-up, so that
  // whoever receives the announcement twice can tell.
  channel.sendToQueue(ACCEPTED, Buffer.from(JSON.stringify(signUp)), {
    persistent: true,
    messageId: `accepted-${signUp.id}`,
  });
  await channel.waitForConfirms();
  channel.ack(message); // the last step: from here on the broker forgets the message
}

await channel.consume(SIGN_UPS, (message) => {
  if (message === null) process.exit(1); // the queue was deleted
  handle(message).catch((error) => {
    console.error(error);
    process.exit(1); // not acknowledged: the message comes again
  });
});
