// Nodemailer's pool alone, without a database: nothing of this survives a crash.
'use strict'
const nodemailer = require('nodemailer')

const { PEER_MAIL_PORT, PEER_MESSAGES } = process.env
const mail = nodemailer.createTransport({
  host: '127.0.0.1', port: Number(PEER_MAIL_PORT), pool: true, maxConnections: 8, maxMessages: Infinity,
  secure: false, ignoreTLS: true
})

async function main () {
  const count = Number(PEER_MESSAGES)
  let next = 0
  // Enough senders to keep eight connections busy.
  await Promise.all(Array.from({ length: 32 }, async () => {
    while (next < count) {
      const number = next++
      await mail.sendMail({
        from: 'ann@northwind.example',
        to: `guest${number}@example.com`,
        subject: 'Your table',
        text: `Hello number ${number}, your table for two is booked for Friday at eight. Until then!`
      })
    }
  }))
  mail.close()
  process.stdout.write('done\n')
  setInterval(() => {}, 1000)
}

main().catch(error => { console.error(error); process.exit(1) })
