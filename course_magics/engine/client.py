"""The SDK's client, as this package needs it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from course_magics.engine.routes import check
from course_magics.errors import EngineError

if TYPE_CHECKING:
    from docker import APIClient

    from course_magics.engine.contexts import Tls

#: What Podman fails at when something goes while it counts (each may be asked twice; networks make
#: it look at every container), and how often it is asked again.
_COUNTING = (
    *("/images/json", "/containers/json", "/networks", "/volumes", "/system/df"),
    *("/images/prune", "/networks/prune", "/volumes/prune"),
)
_AGAIN = 9


def client(**options: Any) -> APIClient:
    """The SDK's client, with two things put right. options: its own.

    Its ca.pem counts even where REQUESTS_CA_BUNDLE names another one; Podman is asked again where
    it stumbled over what others have removed meanwhile.
    """
    import docker

    class Client(docker.APIClient):  # type: ignore[misc]
        def _url(self, pattern: str, *names: Any, **options: Any) -> str:
            """Where a request of the SDK's own goes. Raises EngineError for a name like `../x`."""
            for name in names:
                if isinstance(name, str):
                    check(name)
            return str(super()._url(pattern, *names, **options))

        def merge_environment_settings(
            self, url: str, proxies: Any, stream: Any, verify: Any, cert: Any
        ) -> Any:
            verify = self.verify if verify is None else verify
            return super().merge_environment_settings(url, proxies, stream, verify, cert)

        def request(self, method: str, url: str, **options: Any) -> Any:
            for _ in range(_AGAIN):
                answer = super().request(method, url, **options)
                podman = "Libpod-API-Version" in answer.headers
                if not podman or answer.ok or not url.endswith(_COUNTING):
                    break
                if not re.search("no such container|image not known", answer.text):
                    break
            return answer

    return Client(**options)


def tls_options(tls: Tls) -> Any:
    """The SDK's form of `tls`. Raises EngineError where a file is missing."""
    from docker.tls import TLSConfig

    ca, cert, key = (tls.file(kind) for kind in ("ca", "cert", "key"))
    if tls.folder is not None and (not (ca or cert or key) or bool(cert) != bool(key)):
        raise EngineError(
            f"the files for TLS are not in {tls.folder}",
            detail=f"there: {', '.join(f.name for f in (ca, cert, key) if f) or 'none of them'}",
            hint="DOCKER_CERT_PATH names the folder with ca.pem, cert.pem and key.pem",
        )
    if not tls.verify:
        import urllib3

        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    return TLSConfig(
        client_cert=(str(cert), str(key)) if cert and key else None,
        ca_cert=str(ca) if ca else None,
        verify=tls.verify,
    )
