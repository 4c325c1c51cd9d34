(** The least-squares classifier: the exact ridge minimiser for fixed features
    (Harun and Kanan 2025), with and without bias, any class sizes.

    J(W, b) = |W H + b 1^T - Y|^2/(2N) + lam/2 |W|^2. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From UFM Require Import Frobenius Semidefinite CollapseIdentity Labels Mse ExtendedLinear.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section LeastSquares.
Variables (R : rcfType) (K d N : nat) (H : 'M[R]_(d, N)) (Y : 'M[R]_(K, N)) (lam : R).
Hypotheses (N0 : (0 < N)%N) (lam0 : 0 < lam).
Let NR : 0 < N%:R :> R. Proof. by rewrite ltr0n. Qed.
Let NN : N%:R != 0 :> R. Proof. by rewrite gt_eqF. Qed.
Implicit Types (W : 'M[R]_(K, d)) (b : 'cV[R]_K).

Definition ridge_loss W b : R := mse Y (W *m H + b *m ones N) + lam / 2%:R * sqF W.

(** Normal equations for W. *)
Definition normal W b : Prop :=
  N%:R^-1 *: ((W *m H + b *m ones N - Y) *m H^T) + lam *: W = 0.

(** Exact excess over a solution, among the (W, b) with <residual, (b - b0) 1^T> = 0. *)
Lemma ridge_excess W0 b0 W b : normal W0 b0 ->
  frob (W0 *m H + b0 *m ones N - Y) ((b - b0) *m ones N) = 0 ->
  ridge_loss W b - ridge_loss W0 b0
  = (2%:R * N%:R)^-1 * sqF ((W - W0) *m H + (b - b0) *m ones N)
    + lam / 2%:R * sqF (W - W0).
Proof.
rewrite /normal => ne bz; set r := W0 *m H + b0 *m ones N - Y in ne bz.
have e : W *m H + b *m ones N - Y = ((W - W0) *m H + (b - b0) *m ones N) + r.
  rewrite /r !mulmxBl; move: (W *m H) (W0 *m H) (b *m _) (b0 *m _) => p q u v.
  by apply/matrixP => i j; rewrite !mxE; ring.
have cr : frob ((W - W0) *m H + (b - b0) *m ones N) r = - N%:R * lam * frob W0 (W - W0).
  rewrite frobDl [frob ((b - b0) *m _) r]frobC bz addr0 frob_mull.
  have -> : r *m H^T = - (N%:R * lam) *: W0.
    move/eqP: ne; rewrite addr_eq0 => /eqP h.
    apply: (scalerI (invr_neq0 NN)); rewrite h scaleNr scalerN scalerA.
    by rewrite mulKf.
  by rewrite frobZr frobC; ring.
have eW : sqF W = sqF W0 + 2%:R * frob W0 (W - W0) + sqF (W - W0).
  by rewrite -{1}[W](subrK W0) addrC sqFD.
rewrite /ridge_loss /mse e [sqF (_ + r)]sqFD cr eW -/r.
move: (sqF _) (sqF r) (sqF W0) (frob W0 _) (sqF (W - W0)) => p q u v w.
by move: (N%:R : R) NN => c cN; field.
Qed.

Let excess_ge0 W0 b0 W b : 0 <= (2%:R * N%:R)^-1 * sqF ((W - W0) *m H + (b - b0) *m ones N)
    + lam / 2%:R * sqF (W - W0).
Proof.
by rewrite addr_ge0 // scale_sqF_ge0 // ?divr_ge0 ?invr_ge0 ?mulr_ge0 ?ler0n // ltW.
Qed.

(** ** Without bias: W = (Y H^T/N) (H H^T/N + lam I)^-1 is the unique minimiser. *)
Definition second_moment : 'M[R]_d := N%:R^-1 *: (H *m H^T).
Definition ls_classifier : 'M[R]_(K, d) :=
  N%:R^-1 *: (Y *m H^T) *m invmx (lam%:M + second_moment).

Let unit0 : lam%:M + second_moment \in unitmx.
Proof.
apply: shifted_unit => //; apply: psdZ; first by rewrite invr_ge0 ltW.
by rewrite -{1}[H]trmxK; exact: psd_gram.
Qed.

Lemma ls_normal : normal ls_classifier 0.
Proof.
have e : ls_classifier *m (lam%:M + second_moment) = N%:R^-1 *: (Y *m H^T).
  by rewrite /ls_classifier -mulmxA mulVmx // mulmx1.
rewrite /normal mul0mx addr0 mulmxBl scalerBr -e mulmxDr mul_mx_scalar /second_moment.
by rewrite -scalemxAr mulmxA opprD addrCA subrr addr0 addNr.
Qed.

Theorem ls_minimiser W : ridge_loss ls_classifier 0 <= ridge_loss W 0 /\
  (ridge_loss W 0 = ridge_loss ls_classifier 0 -> W = ls_classifier).
Proof.
have z : frob (ls_classifier *m H + 0 *m ones N - Y) ((0 - 0 : 'cV[R]_K) *m ones N) = 0.
  by rewrite subrr mul0mx frob0r.
have ex := ridge_excess W ls_normal z.
split=> [|eq]; first by rewrite -subr_ge0 ex excess_ge0.
move: ex; rewrite eq subrr => /esym/eqP; rewrite paddr_eq0.
- by rewrite [lam / _ * _ == 0]scale_sqF_eq0 ?divr_gt0 ?ltr0n // subr_eq0 => /andP[_ /eqP].
- by rewrite scale_sqF_ge0 // invr_ge0 mulr_ge0 ?ler0n // ltW.
by rewrite scale_sqF_ge0 // divr_ge0 ?ler0n // ltW.
Qed.

(** ** Free bias: with mu the mean feature, p = Y 1/N the class frequencies and S the
    total covariance, W = (Y H^T/N - p mu^T)(S + lam I)^-1 and b = p - W mu. *)
Definition mean_feature : 'cV[R]_d := N%:R^-1 *: (H *m (ones N)^T).
Definition frequencies : 'cV[R]_K := N%:R^-1 *: (Y *m (ones N)^T).
Definition centred : 'M[R]_(d, N) := H - mean_feature *m ones N.
Definition covariance : 'M[R]_d := N%:R^-1 *: (centred *m centred^T).
Definition lsb_classifier : 'M[R]_(K, d) :=
  N%:R^-1 *: (Y *m centred^T) *m invmx (lam%:M + covariance).
Definition lsb_bias : 'cV[R]_K := frequencies - lsb_classifier *m mean_feature.

Let unitb : lam%:M + covariance \in unitmx.
Proof.
apply: shifted_unit => //; apply: psdZ; first by rewrite invr_ge0 ltW.
by rewrite -{1}[centred]trmxK; exact: psd_gram.
Qed.
Let centred_ones : centred *m (ones N)^T = 0.
Proof.
rewrite /centred mulmxBl -mulmxA onesK mul_mx_scalar /mean_feature scalerA mulfV //.
by rewrite scale1r subrr.
Qed.
Let residual : lsb_classifier *m H + lsb_bias *m ones N - Y
  = lsb_classifier *m centred - (Y - frequencies *m ones N).
Proof.
rewrite /lsb_bias /centred mulmxBr mulmxBl mulmxA; move: (_ *m H) (_ *m _ *m ones N) => p q.
by move: (frequencies *m _) => u; apply/matrixP => i j; rewrite !mxE; ring.
Qed.
Let residual_ones : (lsb_classifier *m H + lsb_bias *m ones N - Y) *m (ones N)^T = 0.
Proof.
rewrite residual mulmxBl -mulmxA centred_ones mulmx0 sub0r mulmxBl -mulmxA onesK.
by rewrite mul_mx_scalar /frequencies scalerA mulfV // scale1r subrr oppr0.
Qed.

Lemma lsb_normal : normal lsb_classifier lsb_bias.
Proof.
have Hc : H = centred + mean_feature *m ones N by rewrite subrK.
have e : lsb_classifier *m (lam%:M + covariance) = N%:R^-1 *: (Y *m centred^T).
  by rewrite /lsb_classifier -mulmxA mulVmx // mulmx1.
have rc : (lsb_classifier *m H + lsb_bias *m ones N - Y) *m H^T
    = lsb_classifier *m centred *m centred^T - Y *m centred^T.
  rewrite [in X in _ *m X]Hc trmxD mulmxDr trmx_mul mulmxA residual_ones mul0mx addr0.
  rewrite residual !mulmxBl; congr (_ - _).
  have oc : ones N *m centred^T = 0.
    by apply: trmx_inj; rewrite trmx_mul trmxK centred_ones trmx0.
  by rewrite -mulmxA oc mulmx0 subr0.
rewrite /normal rc scalerBr -e mulmxDr mul_mx_scalar /covariance.
by rewrite -scalemxAr mulmxA opprD addrCA subrr addr0 addNr.
Qed.

(** The unique minimiser over (W, b). *)
Theorem lsb_minimiser W b : ridge_loss lsb_classifier lsb_bias <= ridge_loss W b /\
  (ridge_loss W b = ridge_loss lsb_classifier lsb_bias ->
   W = lsb_classifier /\ b = lsb_bias).
Proof.
have z : frob (lsb_classifier *m H + lsb_bias *m ones N - Y) ((b - lsb_bias) *m ones N) = 0.
  by rewrite frobC frob_mull residual_ones frob0r.
have ex := ridge_excess W lsb_normal z.
split=> [|eq]; first by rewrite -subr_ge0 ex excess_ge0.
move: ex; rewrite eq subrr => /esym/eqP; rewrite paddr_eq0.
- rewrite [lam / _ * _ == 0]scale_sqF_eq0 ?divr_gt0 ?ltr0n // subr_eq0.
  case/andP=> + /eqP eW; rewrite eW subrr mul0mx add0r scale_sqF_eq0; last first.
    by rewrite invr_gt0 mulr_gt0 ?ltr0n.
  move/eqP=> h; split=> //; apply/eqP; rewrite -subr_eq0; apply/eqP.
  have := congr1 (mulmx^~ (ones N)^T) h; rewrite mul0mx -mulmxA onesK mul_mx_scalar.
  by move/eqP; rewrite scaler_eq0 (negbTE NN) => /eqP.
- by rewrite scale_sqF_ge0 // invr_ge0 mulr_ge0 ?ler0n // ltW.
by rewrite scale_sqF_ge0 // divr_ge0 ?ler0n // ltW.
Qed.
End LeastSquares.
