// The service of ledger.py in Node.js: its files are written by the threads of libuv.
import amqplib from 'amqplib';
import fs from 'node:fs/promises';
import path from 'node:path';

const careful = process.env.CAREFUL === 'yes';
const file = (id, kind) => path.join(process.env.DATA_DIR, `${id}.${kind}`);
const exists = (name) => fs.access(name).then(() => true, () => false);

const connection = await amqplib.connect(process.env.AMQP_URL);
const channel = await connection.createChannel();
await channel.assertQueue('in');
await channel.prefetch(1);
await channel.consume('in', async (message) => {
  const { id } = JSON.parse(message.content.toString());
  if (careful || !(await exists(file(id, 'mark')))) {
    if (!careful) await fs.writeFile(file(id, 'mark'), 'seen');
    await fs.writeFile(file(id, 'draft'), 'kept');
    await fs.rename(file(id, 'draft'), file(id, 'kept'));
  }
  channel.ack(message);
});
