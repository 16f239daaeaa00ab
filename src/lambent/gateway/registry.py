"""The AWS services that are the platform's own: one line each.

The first is meant when nothing says which service a request is for. Of two whose operations have
the same path, an unsigned request is for the one that comes first.
"""

from lambent.gateway.definitions import AnyService
from lambent.gateway.services.apigateway.service import APIGATEWAY
from lambent.gateway.services.apigatewaymanagementapi.service import APIGATEWAYMANAGEMENTAPI
from lambent.gateway.services.apigatewayv2.service import APIGATEWAYV2
from lambent.gateway.services.cloudcontrol.service import CLOUDCONTROL
from lambent.gateway.services.cloudformation.service import CLOUDFORMATION
from lambent.gateway.services.cloudfront.service import CLOUDFRONT
from lambent.gateway.services.cloudwatch.service import CLOUDWATCH
from lambent.gateway.services.cognito_idp.service import COGNITO_IDP
from lambent.gateway.services.ecr.service import ECR
from lambent.gateway.services.events.service import EVENTS
from lambent.gateway.services.iam.service import IAM
from lambent.gateway.services.lambda_.service import LAMBDA
from lambent.gateway.services.lexv2_models.service import LEXV2_MODELS
from lambent.gateway.services.lexv2_runtime.service import LEXV2_RUNTIME
from lambent.gateway.services.logs.service import LOGS
from lambent.gateway.services.s3.service import S3
from lambent.gateway.services.scheduler.service import SCHEDULER
from lambent.gateway.services.secretsmanager.service import SECRETSMANAGER
from lambent.gateway.services.ssm.service import SSM
from lambent.gateway.services.sts.service import STS
from lambent.gateway.services.xray.service import XRAY

SERVICES: tuple[AnyService, ...] = (
    LAMBDA,
    LOGS,
    STS,
    IAM,
    CLOUDWATCH,
    APIGATEWAY,
    APIGATEWAYV2,
    APIGATEWAYMANAGEMENTAPI,
    CLOUDFORMATION,
    CLOUDCONTROL,
    ECR,
    EVENTS,
    SCHEDULER,
    S3,
    SSM,
    SECRETSMANAGER,
    COGNITO_IDP,
    CLOUDFRONT,
    LEXV2_MODELS,
    LEXV2_RUNTIME,
    XRAY,
)
