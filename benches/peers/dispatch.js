// The reference design: per message one select, one send, one update. A message is selected and locked, sent, and its
// result stored, in one transaction with one durable commit: fewer than most products make.
'use strict'
const { Pool } = require('pg')
const twilio = require('twilio')

const { PEER_DATABASE, PEER_SINK, PEER_CONCURRENCY = '64', PEER_MAIL_PORT } = process.env
const concurrency = Number(PEER_CONCURRENCY)
const pool = new Pool({ connectionString: PEER_DATABASE, max: concurrency })

// Twilio's SDK knows no other host than Twilio's: its HTTP client is told where to go.
class ToSink extends twilio.RequestClient {
  request (options) {
    const url = new URL(options.uri)
    return super.request({ ...options, uri: `${PEER_SINK}${url.pathname}${url.search}` })
  }
}

function sender () {
  if (PEER_MAIL_PORT) {
    const mail = require('nodemailer').createTransport({
      host: '127.0.0.1', port: Number(PEER_MAIL_PORT), pool: true, maxConnections: 8, maxMessages: Infinity,
      secure: false, ignoreTLS: true
    })
    return {
      send: async m => (await mail.sendMail({
        from: 'ann@northwind.example', to: `guest${m.recipient.slice(1)}@example.com`, subject: 'Your table', text: m.body
      })).messageId,
      close: () => mail.close()
    }
  }
  const client = twilio('AC00000000000000000000000000000001', 'benchmark-token-0000000000000001', {
    httpClient: new ToSink({ keepAlive: true, maxSockets: concurrency, maxTotalSockets: concurrency })
  })
  return {
    send: async m => (await client.messages.create({
      to: m.recipient, from: m.sender, body: m.body, statusCallback: `https://peer.example/status?message=${m.id}`
    })).sid,
    close: () => {}
  }
}

async function one (db, mail) {
  await db.query('begin')
  const found = await db.query({
    name: 'select',
    text: "select id, sender, recipient, body from peer_message where status = 'queued' order by id limit 1 for update skip locked"
  })
  if (found.rows.length === 0) {
    await db.query('commit')
    return false
  }
  const message = found.rows[0]
  const sid = await mail.send(message)
  await db.query({
    name: 'update',
    text: "update peer_message set status = 'sent', provider_message_id = $2, updated_at = now() where id = $1",
    values: [message.id, sid]
  })
  await db.query('commit')
  return true
}

async function main () {
  const mail = sender()
  await Promise.all(Array.from({ length: concurrency }, async () => {
    const db = await pool.connect()
    await db.query('set synchronous_commit = on')
    while (await one(db, mail));
    db.release()
  }))
  mail.close()
  // The backends stay until their cost has been read.
  process.stdout.write('done\n')
  setInterval(() => {}, 1000)
}

main().catch(error => { console.error(error); process.exit(1) })
