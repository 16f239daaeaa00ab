"""Amazon Elastic Container Registry."""

from lambent.stacks.resources.row_type import Name, Part, Retag, Row, only, op

REPOSITORY = Row(
    name="AWS::ECR::Repository",
    service="ecr",
    named=Name("RepositoryName", 256, is_lower=True),
    create=op("CreateRepository"),
    physical="{RepositoryName}",
    keys={"repositoryName": "{$id}"},
    read=only("DescribeRepositories", repositoryNames=["{$id}"]),
    delete=only("DeleteRepository", force="{EmptyOnDelete}"),
    uses=frozenset({"EmptyOnDelete"}),
    attributes={
        "Arn": "{.repositories.0.repositoryArn}",
        "RepositoryUri": "{.repositories.0.repositoryUri}",
    },
    tags="tags",
    retag=Retag("TagResource", "UntagResource", {"resourceArn": "{@Arn}"}),
    parts=(
        Part(
            of=("LifecyclePolicy",),
            put=only(
                "PutLifecyclePolicy", lifecyclePolicyText="{LifecyclePolicy.LifecyclePolicyText}"
            ),
            remove=only("DeleteLifecyclePolicy"),
        ),
        Part(
            of=("RepositoryPolicyText",),
            put=only("SetRepositoryPolicy", policyText="{RepositoryPolicyText}"),
            remove=only("DeleteRepositoryPolicy"),
        ),
        Part(
            of=("ImageScanningConfiguration",),
            on_create=False,
            put=only(
                "PutImageScanningConfiguration",
                imageScanningConfiguration="{ImageScanningConfiguration}",
            ),
        ),
        Part(
            of=("ImageTagMutability",),
            on_create=False,
            put=only("PutImageTagMutability", imageTagMutability="{ImageTagMutability}"),
            remove=only("PutImageTagMutability", imageTagMutability="MUTABLE"),
        ),
    ),
    note="Repositories are stored and shown; there is no registry.",
)

ROWS = (REPOSITORY,)
