// Express on PostgreSQL: takes messages, and Twilio's reports, each durable before its answer.
'use strict'
const express = require('express')
const { Pool } = require('pg')
const twilio = require('twilio')
const { randomUUID } = require('node:crypto')

const { PEER_DATABASE, PEER_PORT, PEER_CONCURRENCY = '64', PEER_KEY } = process.env
const TOKEN = 'benchmark-token-0000000000000001'
const pool = new Pool({
  connectionString: PEER_DATABASE,
  max: Math.min(Number(PEER_CONCURRENCY), 32),
  options: '-c synchronous_commit=on'
})
const app = express()
app.disable('x-powered-by')
app.disable('etag')

app.post('/api/messages', express.json(), async (request, response) => {
  if (request.get('authorization') !== PEER_KEY) return response.status(401).end()
  const { messaging_account_id: account, to, body } = request.body
  if (!account || !to || !body) return response.status(400).end()
  const id = randomUUID()
  await pool.query({
    name: 'insert',
    text: 'insert into peer_message (id, account_id, sender, recipient, body) values ($1, $2, $3, $4, $5)',
    values: [id, account, '+14155550100', to, body]
  })
  response.status(202).json({ id, to, body, status: 'queued' })
})

app.post('/status', express.urlencoded({ extended: false }), async (request, response) => {
  const url = `http://127.0.0.1:${PEER_PORT}${request.originalUrl}`
  if (!twilio.validateRequest(TOKEN, request.get('x-twilio-signature'), url, request.body)) {
    return response.status(403).end()
  }
  const { MessageSid: sid, MessageStatus: status } = request.body
  const fresh = await pool.query({
    name: 'dedupe',
    text: 'insert into peer_report (dedupe_key, raw) values ($1, $2) on conflict do nothing',
    values: [`${sid}:${status}`, JSON.stringify(request.body)]
  })
  if (fresh.rowCount > 0) {
    await pool.query({
      name: 'report',
      text: 'update peer_message set status = $2, updated_at = now() where provider_message_id = $1',
      values: [sid, status]
    })
  }
  response.status(200).end()
})

app.listen(Number(PEER_PORT), '127.0.0.1')
