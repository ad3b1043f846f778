"""The TLS settings of the stand-in servers."""

import ssl
import warnings
from pathlib import Path

from readycheck.twin.blueprint import Blueprint, Chain
from readycheck.twin.certificates import KEY_FILE

_CIPHERS = "ALL:!aNULL:!eNULL:@SECLEVEL=1"
_OLD_CIPHERS = "ALL:!aNULL:!eNULL:@SECLEVEL=0"


class Contexts:
    """The TLS settings of every port: which chain, which versions, whether a certificate is asked for."""

    def __init__(self, folder: Path, blueprint: Blueprint) -> None:
        self._folder, self._blueprint = folder, blueprint
        self._made: dict[tuple[Chain, bool], ssl.SSLContext] = {}

    def of_port(self, port: int) -> ssl.SSLContext:
        chain = self._blueprint.faults.chains.get(port, Chain.GOOD)
        return self._of(chain, mutual=port in self._blueprint.mutual)

    def _of(self, chain: Chain, *, mutual: bool) -> ssl.SSLContext:
        if (chain, mutual) not in self._made:
            self._made[chain, mutual] = self._make(chain, mutual)
        return self._made[chain, mutual]

    def _make(self, chain: Chain, mutual: bool) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._folder / f"{chain}.pem", self._folder / KEY_FILE)
        context.set_ciphers(_CIPHERS)
        context.set_alpn_protocols(["http/1.1"])
        context.sni_callback = self._by_name
        if mutual:
            context.verify_mode = ssl.CERT_REQUIRED
        if self._blueprint.faults.old_tls:
            _make_old(context)
        return context

    def _by_name(self, tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        if name in self._blueprint.faults.misnamed:
            tls.context = self._of(Chain.MISNAMED, mutual=False)
        elif name in self._blueprint.faults.spared:
            tls.context = self._of(Chain.GOOD, mutual=False)


def _make_old(context: ssl.SSLContext) -> None:
    context.set_ciphers(_OLD_CIPHERS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1


def wanted_chains(blueprint: Blueprint) -> set[Chain]:
    """The chains that the servers of a world need."""
    return {
        Chain.GOOD,
        *blueprint.faults.chains.values(),
        *([Chain.MISNAMED] if blueprint.faults.misnamed else []),
    }
