# Digests, ciphers, signatures and a short benchmark, with and without the processor's newer features.
# Prints lines "result NAME VALUE" that must be the same everywhere. With SHORT=1 in the environment only one round.
export PATH=/usr/bin:/bin
seq 1 20000 >/tmp/data
key=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
iv=f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff

sum() { sha256sum | cut -c1-32; }
all_of_it() {
  for digest in $(openssl list -1 -digest-commands); do
    echo "result $1.$digest $(openssl "$digest" /tmp/data 2>&1 | sum)"
  done
  for cipher in $(openssl list -1 -cipher-commands); do
    echo "result $1.$cipher $(openssl enc "-$cipher" -provider default -provider legacy -K $key -iv $iv -in /tmp/data 2>/dev/null | sum)"
    openssl enc "-$cipher" -provider default -provider legacy -K $key -iv $iv -in /tmp/data 2>/dev/null >/tmp/secret || continue
    openssl enc -d "-$cipher" -provider default -provider legacy -K $key -iv $iv -in /tmp/secret 2>/dev/null | cmp -s - /tmp/data
    echo "result $1.$cipher.back $?"
  done
  echo "result $1.rsa $(openssl dgst -sha256 -sign /programs/rsa.pem /tmp/data | sum)"
  for name in ed25519 ed448; do
    echo "result $1.$name $(openssl pkeyutl -sign -rawin -inkey /programs/$name.pem -in /tmp/data | sum)"
  done
  openssl dgst -sha256 -verify /programs/ec.pub -signature /programs/ec.sig /programs/openssl >/dev/null
  echo "result $1.ec.verify $?"
  openssl dgst -sha256 -sign /programs/ec.pem -out /tmp/ec.sig /tmp/data &&
    openssl dgst -sha256 -verify /programs/ec.pub -signature /tmp/ec.sig /tmp/data >/dev/null
  echo "result $1.ec.sign $?"
  openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:1024 | openssl pkey -check -noout >/dev/null 2>&1
  echo "result $1.rsa.generate $?"
  echo "result $1.prime $(openssl prime -hex FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF | sum)"
}

all_of_it all
[ -z "$SHORT" ] || exit 0
# OPENSSL_ia32cap(3): without AVX2, BMI, ADX, SHA; then also without AES-NI, PCLMULQDQ, AVX, SSSE3.
OPENSSL_ia32cap=:0 all_of_it leaf7
OPENSSL_ia32cap=~0x1200020200000200:0 all_of_it sse2

openssl speed -seconds 1 -bytes 4096 -mr -evp aes-128-gcm >/tmp/speed 2>&1
echo "result speed.aes-128-gcm $?"
for name in aes-256-cbc sha256 sha512 chacha20-poly1305; do
  openssl speed -seconds 1 -bytes 4096 -mr -evp $name >/tmp/speed 2>&1
  echo "result speed.$name $?"
done
for name in rsa2048 ecdsap256 ecdhx25519 ed25519; do
  openssl speed -seconds 1 -mr $name >/tmp/speed 2>&1
  echo "result speed.$name $?"
  grep '^+F' /tmp/speed
done
