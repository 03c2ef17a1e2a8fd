import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const lifetimeMs = 30 * 24 * 3600 * 1000
const clockSlackMs = 3600 * 1000

/** A private key with its certificate, both PEM. */
export type IssuedCertificate = { readonly key: string; readonly certificate: string }

/** A certificate authority that exists for one run of the stack; its key never leaves this process. */
export type Authority = {
  readonly certificate: string
  readonly issue: (commonName: string) => Promise<IssuedCertificate>
}

const serialNumber = () => Buffer.from(webcrypto.getRandomValues(new Uint8Array(16))).toString('hex')
const validity = () => ({
  notBefore: new Date(Date.now() - clockSlackMs),
  notAfter: new Date(Date.now() + lifetimeMs),
})
const keyPem = async (key: webcrypto.CryptoKey): Promise<string> =>
  x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')

export const createAuthority = async (): Promise<Authority> => {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: 'CN=Switchboard local stack CA',
    ...validity(),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  const issue = async (commonName: string): Promise<IssuedCertificate> => {
    const leafKeys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
    const leaf = await x509.X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject: `CN=${commonName}`,
      issuer: authority.subject,
      ...validity(),
      signingAlgorithm: algorithm,
      publicKey: leafKeys.publicKey,
      signingKey: keys.privateKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension([
          { type: 'ip', value: '127.0.0.1' },
          { type: 'dns', value: 'localhost' },
        ]),
        await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey),
      ],
    })
    return { key: `${await keyPem(leafKeys.privateKey)}\n`, certificate: `${leaf.toString('pem')}\n` }
  }
  return { certificate: `${authority.toString('pem')}\n`, issue }
}
