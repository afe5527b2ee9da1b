// The usual import: csv-parse as a stream, a library for phone numbers, one upsert for a thousand rows. Rows of one person in one
// batch become one before, because an upsert touches a row once.
'use strict'
const fs = require('fs')
const { randomUUID } = require('crypto')
const { parse } = require('csv-parse')
const { parsePhoneNumberFromString } = require('libphonenumber-js')
const { Pool } = require('pg')

const EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@]+$/
const UPSERT = `insert into peer_lead (id, name, company, email, phone, custom)
  select * from json_to_recordset($1::json) as x (id text, name text, company text, email text, phone text, custom jsonb)
  on conflict (email) do update set name = coalesce(nullif(excluded.name, ''), peer_lead.name),
  company = coalesce(excluded.company, peer_lead.company), phone = coalesce(excluded.phone, peer_lead.phone),
  custom = peer_lead.custom || excluded.custom, updated_at = now()`

async function main () {
  const pool = new Pool({ connectionString: process.env.PEER_DATABASE, max: 4 })
  await pool.query('select 1')
  const before = process.memoryUsage().rss
  const start = process.hrtime.bigint()
  let most = before
  let batch = new Map()
  const flush = async () => {
    await pool.query(UPSERT, [JSON.stringify([...batch.values()])])
    batch = new Map()
    most = Math.max(most, process.memoryUsage().rss)
  }
  for await (const row of fs.createReadStream(process.env.PEER_FILE).pipe(parse({ columns: true, trim: true }))) {
    const email = row['E-Mail'].toLowerCase()
    if (!EMAIL.test(email)) continue
    let phone = null
    if (row.Phone) {
      const number = parsePhoneNumberFromString(row.Phone)
      if (!number || !number.isPossible()) continue
      phone = number.number
    }
    const known = batch.get(email)
    batch.set(email, {
      id: known ? known.id : randomUUID(),
      name: row.Name,
      company: row.Company || null,
      email,
      phone: phone || (known ? known.phone : null),
      custom: { plan: row.Plan }
    })
    if (batch.size === 1000) await flush()
  }
  if (batch.size) await flush()
  const took = Number((process.hrtime.bigint() - start) / 1000000n)
  const { rows } = await pool.query('select count(*)::int as count from peer_lead')
  console.log(`done ${took} ${rows[0].count} ${Math.round((most - before) / 1024)}`)
  await pool.end()
}

main().catch(error => { console.error(error); process.exit(1) })
