"""S3's errors."""

from lambent.model.errors import ApiError


def s3_error(code: str, message: str, status: int = 400) -> ApiError:
    """An error of S3. Its model has no status for most codes."""
    return ApiError(code, message, status=status)


def no_such_bucket() -> ApiError:
    """404 `NoSuchBucket`."""
    return s3_error("NoSuchBucket", "The specified bucket does not exist", 404)


def no_such_key() -> ApiError:
    """404 `NoSuchKey`."""
    return s3_error("NoSuchKey", "The specified key does not exist.", 404)


def not_offered(what: str) -> ApiError:
    """501 `NotImplemented`: leave it out, or use another server."""
    return s3_error(
        "NotImplemented",
        f"The platform's own buckets do not offer {what}. Leave it out, or configure a server of"
        " S3 ([aws.s3] endpoint_url, or --services).",
        501,
    )
