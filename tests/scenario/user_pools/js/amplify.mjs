// Signs up, confirms and signs in with Amplify's library, as an app does, and prints what it saw as
// JSON. Codes come on standard input, one line each.
import readline from 'node:readline';
import {createHmac} from 'node:crypto';
import {createRequire} from 'node:module';

const require = createRequire(process.env.MODULES + '/');
const {Amplify, defaultStorage} = require('@aws-amplify/core');
const auth = require('@aws-amplify/auth');
const {cognitoUserPoolsTokenProvider: tokenProvider} = require('@aws-amplify/auth/cognito');

const [userPoolEndpoint, userPoolId, userPoolClientId, strictId, strictClient] = process.argv.slice(2);
const lines = readline.createInterface({input: process.stdin})[Symbol.asyncIterator]();
const code = async () => (await lines.next()).value;
// As `Amplify.configure` of the package aws-amplify does, which has all other categories, too.
const use = (pool, client) => {
  const Auth = {Cognito: {userPoolId: pool, userPoolClientId: client, userPoolEndpoint}};
  tokenProvider.setAuthConfig(Auth);
  tokenProvider.setKeyValueStorage(defaultStorage);
  Amplify.configure({Auth}, {Auth: {tokenProvider}});
};
const failure = call => call.then(() => 'none', error => error.name);

function totp(secret) {
  const bits = [...secret.replace(/=+$/, '')]
    .map(each => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(each).toString(2).padStart(5, '0'))
    .join('');
  const key = Buffer.from(bits.match(/.{8}/g).map(each => parseInt(each, 2)));
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30000)));
  const digest = createHmac('sha1', key).update(time).digest();
  const number = digest.readUInt32BE(digest[19] & 15) & 0x7fffffff;
  return String(number % 1000000).padStart(6, '0');
}

const result = {};
use(userPoolId, userPoolClientId);
const username = 'amplify', password = 'Passw0rd!x';
const signedUp = await auth.signUp(
  {username, password, options: {userAttributes: {email: 'amplify@example.com'}}});
result.signUp = signedUp.nextStep.signUpStep;
result.early = (await auth.signIn({username, password})).nextStep.signInStep;
const confirmed = await auth.confirmSignUp({username, confirmationCode: await code()});
result.confirmed = confirmed.isSignUpComplete;
result.wrong = await failure(auth.signIn({username, password: 'Passw0rd!y'}));
result.signedIn = (await auth.signIn({username, password})).isSignedIn;
const {tokens} = await auth.fetchAuthSession();
result.email = tokens.idToken.payload.email;
result.isSame = tokens.accessToken.payload.sub === signedUp.userId;
result.user = (await auth.getCurrentUser()).username;
result.attributes = await auth.fetchUserAttributes();
const fresh = (await auth.fetchAuthSession({forceRefresh: true})).tokens;
result.refreshed = fresh.accessToken.toString() !== tokens.accessToken.toString();
await auth.updatePassword({oldPassword: password, newPassword: 'Passw0rd!z'});
const shared = await auth.setUpTOTP();
const shown = totp(shared.sharedSecret);
await auth.verifyTOTPSetup({code: shown});
await auth.updateMFAPreference({totp: 'PREFERRED'});
result.factors = await auth.fetchMFAPreference();
await auth.signOut({global: true});
result.signedOut = await failure(auth.getCurrentUser());
const reset = await auth.resetPassword({username});
result.reset = reset.nextStep.codeDeliveryDetails.destination;
await auth.confirmResetPassword(
  {username, newPassword: 'Passw0rd!n', confirmationCode: await code()});
result.asked = (await auth.signIn({username, password: 'Passw0rd!n'})).nextStep.signInStep;
result.used = await failure(auth.confirmSignIn({challengeResponse: shown}));

use(strictId, strictClient);
const {nextStep} = await auth.signIn({username: 'invited', password: 'Temp0rary!'});
result.invited = nextStep.signInStep;
const setUp = (await auth.confirmSignIn({challengeResponse: 'Passw0rd!b'})).nextStep;
result.setUp = setUp.signInStep;
const secret = setUp.totpSetupDetails.sharedSecret;
result.in = (await auth.confirmSignIn({challengeResponse: totp(secret)})).isSignedIn;
result.now = (await auth.getCurrentUser()).username;
await auth.signOut();
console.log(JSON.stringify(result));
process.exit(0);
