// Signs up, confirms and signs in with amazon-cognito-identity-js, as a web page does, and prints
// what it saw as JSON. Codes come on standard input, one line each.
import readline from 'node:readline';
import {createRequire} from 'node:module';

const require = createRequire(process.env.MODULES + '/');
const {
  AuthenticationDetails, CognitoUser, CognitoUserAttribute, CognitoUserPool,
} = require('amazon-cognito-identity-js');

const [endpoint, UserPoolId, ClientId] = process.argv.slice(2);
const lines = readline.createInterface({input: process.stdin})[Symbol.asyncIterator]();
const code = async () => (await lines.next()).value;
const pool = new CognitoUserPool({UserPoolId, ClientId, endpoint});
const user = Username => new CognitoUser({Username, Pool: pool});
const call = run => new Promise((resolve, reject) =>
  run((error, value) => error ? reject(error) : resolve(value)));
const signIn = (who, Password, start = 'authenticateUser', answer = undefined) =>
  new Promise(resolve => who[start](new AuthenticationDetails({Username: who.getUsername(), Password}), {
    onSuccess: session => resolve({session}),
    onFailure: error => resolve({error: error.code || error.name, message: error.message}),
    newPasswordRequired: (attributes, required) => resolve({attributes, required}),
    customChallenge: parameters => who.sendCustomChallengeAnswer(answer, {
      onSuccess: session => resolve({session, parameters}),
      onFailure: error => resolve({error: error.code, message: error.message}),
    }),
  }));
const result = {};

const email = new CognitoUserAttribute({Name: 'email', Value: 'js@example.com'});
const signedUp = await call(done => pool.signUp('js-ann', 'Passw0rd!x', [email], null, done));
result.sub = signedUp.userSub;
const ann = user('js-ann');
result.early = await signIn(ann, 'Passw0rd!x');
result.confirmed = await call(async done => ann.confirmRegistration(await code(), false, done));
result.wrong = await signIn(ann, 'Passw0rd!y');
const {session} = await signIn(ann, 'Passw0rd!x');
result.payload = session.getIdToken().decodePayload();
result.attributes = (await call(done => ann.getUserAttributes(done))).map(each => each.getName());
const fresh = await call(done => ann.refreshSession(session.getRefreshToken(), done));
result.refreshed = fresh.getAccessToken().decodePayload().origin_jti === result.payload.origin_jti;
result.changed = await call(done => ann.changePassword('Passw0rd!x', 'Passw0rd!z', done));
result.forgot = await new Promise((resolve, reject) => ann.forgotPassword({
  onSuccess: resolve,
  onFailure: reject,
  inputVerificationCode: async data => ann.confirmPassword(await code(), 'Passw0rd!n', {
    onSuccess: () => resolve(data.CodeDeliveryDetails),
    onFailure: reject,
  }),
}));
result.again = Boolean((await signIn(user('js-ann'), 'Passw0rd!n')).session);

const invited = user('js-bob');
result.invited = await signIn(invited, 'Temp0rary!');
result.chosen = await new Promise((resolve, reject) =>
  invited.completeNewPasswordChallenge('Passw0rd!b', {}, {onSuccess: resolve, onFailure: reject}))
  .then(session => session.getIdToken().decodePayload()['cognito:groups']);

const custom = user('js-bob');
custom.setAuthenticationFlowType('CUSTOM_AUTH');
const solved = await signIn(custom, undefined, 'initiateAuth', '7');
result.custom = {question: solved.parameters?.question, isIn: Boolean(solved.session), ...solved.error};
await call(done => custom.globalSignOut({onSuccess: () => done(null), onFailure: done}));
console.log(JSON.stringify(result));
