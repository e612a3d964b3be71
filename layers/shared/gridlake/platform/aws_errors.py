"""Which failures of an AWS call may pass by themselves and which will not, in words that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gridlake.platform.errors import GridlakeError, PermanentError, TransientError

TRANSIENT_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "ConcurrentModificationException",
        "ExpiredToken",
        "ExpiredTokenException",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "InternalServiceException",
        "LimitExceededException",
        "OperationAborted",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestTimeout",
        "RequestTimeTooSkewed",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)

_DENIED = frozenset(
    {
        "403",
        "AccessDenied",
        "AccessDeniedException",
        "AllAccessDisabled",
        "AuthorizationError",
        "AuthorizationErrorException",
        "Forbidden",
        "KMSAccessDeniedException",
        "KMS.AccessDeniedException",
        "UnauthorizedOperation",
    }
)

_PERMANENT: dict[str, tuple[str, str, str]] = {
    # AWS code: (our code, what happened, what to do)
    "NoSuchKey": ("object_missing", "does not exist", "it was deleted or never uploaded: upload it again"),
    "404": ("object_missing", "does not exist", "it was deleted or never uploaded: upload it again"),
    "MethodNotAllowed": ("object_missing", "was deleted", "upload it again, or remove the delete marker"),
    "NoSuchVersion": ("object_version_missing", "no longer has that version", "upload the file again"),
    "NoSuchBucket": (
        "bucket_missing",
        "is in a bucket that does not exist",
        "deploy the storage stack again",
    ),
    "InvalidObjectState": (
        "object_archived",
        "is archived",
        "restore it from Glacier, then redrive the ingestion",
    ),
    "ResourceNotFoundException": ("resource_missing", "does not exist", "deploy the stack again"),
    "EntityNotFoundException": ("resource_missing", "does not exist", "deploy the stack again"),
}


def translate(error: Exception, *, action: str, resource: str) -> GridlakeError:
    """The error of a boto3 call as one of ours.

    Parameters
    ----------
    error
        What boto3 raised: a ``ClientError`` or any other ``BotoCoreError``; ours are returned as they are. A managed
        transfer (``S3UploadFailedError``) hides AWS's answer in the error it was raised from: that one decides.
    action
        What was tried, for the message: ``"read"``.
    resource
        On what: ``"s3://bucket/key"``.

    Returns
    -------
    GridlakeError
        `TransientError` where the same call may succeed later, else `PermanentError`.
    """
    if isinstance(error, GridlakeError):
        return error
    if not hasattr(error, "response") and hasattr(error.__context__, "response"):
        return translate(error.__context__, action=action, resource=resource)  # type: ignore[arg-type]
    response: dict[str, Any] = getattr(error, "response", None) or {}
    if not response:
        return _without_answer(error, action, resource)
    detail = response.get("Error", {})
    code = str(detail.get("Code", ""))
    message = str(detail.get("Message", ""))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
    if code in TRANSIENT_CODES or code == "429" or status == 429 or status >= 500:
        return TransientError(
            f"can't {action} {resource} for now: AWS answers {code or status}",
            code="aws_unavailable",
            aws_code=code,
        )
    if code in _DENIED or (status == 403 and code not in _PERMANENT):
        operation = getattr(error, "operation_name", "") or action
        return PermanentError(
            f"not allowed to {action} {resource}: AWS refuses {operation} ({code})",
            code="access_denied",
            hint=f"grant the function's role the permission for {operation} on {resource}, then redrive",
            aws_code=code,
        )
    if code == "InvalidArgument" and "version" in message.lower():
        code = "NoSuchVersion"
    if code in _PERMANENT:
        ours, what, hint = _PERMANENT[code]
        return PermanentError(f"can't {action} {resource}: it {what}", code=ours, hint=hint, aws_code=code)
    return PermanentError(
        f"can't {action} {resource}: AWS answers {code or status}: {message}",
        code="aws_refused",
        aws_code=code,
    )


def _without_answer(error: Exception, action: str, resource: str) -> GridlakeError:
    kind = type(error).__name__
    if kind in {"NoCredentialsError", "PartialCredentialsError", "ParamValidationError", "NoRegionError"}:
        return PermanentError(f"can't {action} {resource}: {error}", code="aws_refused")
    return TransientError(f"can't {action} {resource} for now: {kind}", code="aws_unavailable", aws_code=kind)


@contextmanager
def calling(action: str, resource: str) -> Iterator[None]:
    """Translate what boto3 raises inside the block.

    Examples
    --------
    >>> with calling("read", "s3://bucket/key"):
    ...     client("s3").get_object(Bucket="bucket", Key="key")
    """
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError, Boto3Error) as error:
        raise translate(error, action=action, resource=resource) from error
