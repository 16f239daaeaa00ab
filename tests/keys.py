"""RSA keys of 2048 bits for tests: to make one takes a tenth of a second."""

import functools

from cryptography.hazmat.primitives.asymmetric import rsa

_EXPONENT = 65537
_PRIMES = (
    (
        "cd01c30ca9d584748f4f3870ee5d4347735a304ad4f78d059254347e50beca76b0eb767512da90c24a8692"
        "7452da128a3c5ee8579579056a95caaac74e6d08b68efec4143bffc0ff2fa3f65720cbf057582356763454"
        "e194f230e8146fadb2516ac185e483a2b2af287958afa4b9f31e53edb866e3ea1b542a4fbe850ce3f4f7",
        "c96a168ba6cf16f7fe86de5cbda0836abe1069650de315dbed6212ea28b2376f3b034d6a446bef95eea9cc"
        "8d032c1a18987efff008949238eb02813440980a7bd056b4cfea226690f956348e2b2ba6d237b779e8f4ad"
        "66bccfca9278c219cc183cbeef201025cb97a3e900f55559d474231cfbc73d61c4cde6a552c6c0791fe9",
    ),
    (
        "ff40a2f7b8ff077b61a759ec2f45cb6f3c7638353a15345458e53c11e62e551fc51e90ccdb0c6c9edd3163"
        "e148372bd621ebf0a171cf655ecc92592e30a9abc90efa29aa7f754629d6cb0eac38c858779f19b81ef4f7"
        "113ff2175a78380ab8c7c10fcd5dbb9e78456500bc80111ee3c9a151a27991ced06b820bc5409878c21d",
        "b87c49bfd5383381508506174dc567c731f8b63d1823d53fe8e0166672594f6e205c1604f8d7ae0f16c9f2"
        "fc428225a0583ab718c13e58239979235d3d0c7468eee8d37b90a18dfa2c75314b307a5ad7816a6d4fe511"
        "51ca79aa4e0b7eb6b217794ec539d6029b8a3e27be95eb520edcbbc36709bf354b83e69f4ca0ca8145b1",
    ),
    (
        "f2cf1332c3b707a1387fb0d438af1c2e9a8ef82cea23282d768bc47043be897859275cbb73b6e57b8be403"
        "df167050ad5ae21a09149d019c9461a7c83be0b7f60325bef3f527f2003a32c02c36856883512566f1433f"
        "d8122a251c9eb95c908d356e83b7ed77ca661151368c39b4cf186509170caacf8048f27959718be5693b",
        "d6c5cabbc41b86d94ecb68ba22f0755ed9f080c72d7a3051efb1df2aafbdb0749921dafdf3c7f4413c59fc"
        "e95df9b1e9086ffc8fa74150d8899ca86bf1201a5ee021aa9c274342963771e5f45338af8ac3f286ada7f5"
        "6bc75086e62e7645c5525e8267e3866ab052f7d889434eed4f4d124b0ce0e4f28fc0f58ec02eadb9736b",
    ),
)
"""The two primes of each key."""


@functools.cache
def rsa_key(number: int) -> rsa.RSAPrivateKey:
    """One of the keys, each of which is always the same."""
    p, q = (int(prime, 16) for prime in _PRIMES[number])
    d = rsa.rsa_recover_private_exponent(_EXPONENT, p, q)
    return rsa.RSAPrivateNumbers(
        p=p,
        q=q,
        d=d,
        dmp1=rsa.rsa_crt_dmp1(d, p),
        dmq1=rsa.rsa_crt_dmq1(d, q),
        iqmp=rsa.rsa_crt_iqmp(p, q),
        public_numbers=rsa.RSAPublicNumbers(_EXPONENT, p * q),
    ).private_key(unsafe_skip_rsa_key_validation=True)
