(** Balanced classes: the geometry shared by every loss.

    With c = K sqrt(n lw lh), every balanced instance has a dual matrix
    G = -(1/N) (alpha P + beta J/K) Y with alpha, beta in [0, c], and its common
    zeros are: features equal their class means, the Gram matrix of the means is
    sqrt(lw / (n lh)) (x P + y J/K), and W = sqrt(n lh / lw) Hbar^T. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From UFM Require Import Frobenius Semidefinite CollapseIdentity Labels.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Lemma sqrt_unique (R : rcfType) (x y : R) : 0 <= y -> y ^+ 2 = x -> Num.sqrt x = y.
Proof. by move=> y0 <-; rewrite sqrtr_sqr ger0_norm. Qed.

(** ** The scalars *)
Section Scalars.
Variables (R : rcfType) (K n : nat) (lw lh : R).
(** c = K sqrt(n lw lh): regularisation, collapse to zero at c = 1 *)
Definition reg_c : R := K%:R * Num.sqrt (n%:R * lw * lh).
(** W = dual_scale Hbar^T *)
Definition dual_scale : R := Num.sqrt (n%:R * lh / lw).
(** the scale of the Gram matrix of the class means *)
Definition mean_scale : R := Num.sqrt (lw / (n%:R * lh)).

Hypotheses (K0 : (0 < K)%N) (n0 : (0 < n)%N) (lw0 : 0 < lw) (lh0 : 0 < lh).
Let nR : 0 < n%:R :> R. Proof. by rewrite ltr0n. Qed.
Let KR : 0 < K%:R :> R. Proof. by rewrite ltr0n. Qed.

Lemma dual_scale_gt0 : 0 < dual_scale.
Proof. by rewrite sqrtr_gt0 divr_gt0 // mulr_gt0. Qed.
Lemma dual_scale_sqr : dual_scale ^+ 2 = n%:R * lh / lw.
Proof. by rewrite sqr_sqrtr // ltW // divr_gt0 // mulr_gt0. Qed.
Lemma mean_scaleE : mean_scale = dual_scale^-1.
Proof.
apply: sqrt_unique; first by rewrite invr_ge0 ltW ?dual_scale_gt0.
by rewrite exprVn dual_scale_sqr invf_div.
Qed.
Lemma mean_scale_gt0 : 0 < mean_scale.
Proof. by rewrite mean_scaleE invr_gt0 dual_scale_gt0. Qed.
Lemma reg_cE : reg_c = K%:R * (lw * dual_scale).
Proof.
congr (_ * _); apply: sqrt_unique.
  by rewrite mulr_ge0 // ltW // dual_scale_gt0.
by rewrite exprMn dual_scale_sqr; field; rewrite gt_eqF.
Qed.
Lemma reg_c_gt0 : 0 < reg_c.
Proof. by rewrite mulr_gt0 // sqrtr_gt0 !mulr_gt0. Qed.
(** c^2 = K^2 n lw lh: rational in the parameters *)
Lemma reg_c_sqr : reg_c ^+ 2 = K%:R ^+ 2 * n%:R * (lw * lh).
Proof.
rewrite exprMn sqr_sqrtr; first by ring.
by rewrite !mulr_ge0 // ltW.
Qed.
End Scalars.

Section Geometry.
Variables (R : rcfType) (K N n d : nat) (lab : 'I_N -> 'I_K) (lw lh : R).
Hypotheses (K0 : (0 < K)%N) (n0 : (0 < n)%N) (bal : balanced lab n).
Hypotheses (lw0 : 0 < lw) (lh0 : 0 < lh).
Local Notation Y := (onehot R lab).
Local Notation c := (reg_c K n lw lh).
Local Notation t := (dual_scale n lw lh).
Local Notation rho := (mean_scale n lw lh).
Local Notation Hbar := (class_means lab n).
Local Notation mix := (mix K).
Implicit Types (W : 'M[R]_(K, d)) (H : 'M[R]_(d, N)).

Let nR : 0 < n%:R :> R. Proof. by rewrite ltr0n. Qed.
Let KR : 0 < K%:R :> R. Proof. by rewrite ltr0n. Qed.
Let nN : n%:R != 0 :> R. Proof. by rewrite gt_eqF. Qed.
Let KN : K%:R != 0 :> R. Proof. by rewrite gt_eqF. Qed.
Let NE : N%:R = K%:R * n%:R :> R := balanced_sizeR R bal.
Let NR : 0 < N%:R :> R. Proof. by rewrite NE mulr_gt0. Qed.
Let NN : N%:R != 0 :> R. Proof. by rewrite gt_eqF. Qed.
Let t0 : 0 < t. Proof. exact: dual_scale_gt0. Qed.
Let tN : t != 0. Proof. by rewrite gt_eqF. Qed.
Let cE : c = K%:R * (lw * t) := reg_cE K n0 lw0 lh0.
Let c0 : 0 < c. Proof. exact: reg_c_gt0. Qed.
Let cN : c != 0. Proof. by rewrite gt_eqF. Qed.
Let YY : Y *m Y^T = n%:R%:M := balanced_gram R bal.
Let rhoE : rho = t^-1 := mean_scaleE n0 lw0 lh0.
Let lwlh : lw * lh = c ^+ 2 * n%:R / N%:R ^+ 2.
Proof. by rewrite reg_c_sqr // NE; field; rewrite nN KN. Qed.

(** Neural collapse with Gram parameters (x, y): within-class variability zero,
    Gram matrix of the class means, self-duality.  (x, x): orthogonal frame;
    (x, 0): simplex ETF. *)
Definition neural_collapse (x y : R) W H : Prop :=
  [/\ H = Hbar H *m Y,
      (Hbar H)^T *m Hbar H = rho *: mix x y
    & W = t *: (Hbar H)^T].

(** The dual matrix G = -(1/N) (alpha P + beta J/K) Y. *)
Definition dual_matrix (alpha beta : R) : 'M[R]_(K, N) :=
  - N%:R^-1 *: (mix alpha beta *m Y).

Lemma dual_matrix_op alpha beta :
  0 <= alpha <= c -> 0 <= beta <= c -> op_sq_le (dual_matrix alpha beta) (lw * lh).
Proof.
move=> /andP[a0 ac] /andP[b0 bc].
have m0 : 0 <= lw * lh by rewrite mulr_ge0 // ltW.
rewrite -[dual_matrix _ _]trmxK; apply: (op_sq_le_tr m0); rewrite /op_sq_le.
suff -> : (lw * lh)%:M - (dual_matrix alpha beta)^T^T *m (dual_matrix alpha beta)^T
   = mix (n%:R / N%:R ^+ 2 * (c ^+ 2 - alpha ^+ 2)) (n%:R / N%:R ^+ 2 * (c ^+ 2 - beta ^+ 2)).
  have q0 : 0 <= n%:R / N%:R ^+ 2 :> R by rewrite divr_ge0 ?exprn_ge0 // ltW.
  by apply: mix_psd => //; rewrite mulr_ge0 // subr_ge0 ler_pexpn2r ?nnegrE // (le_trans a0).
rewrite trmxK /dual_matrix trmxZ trmx_mul mix_tr -scalemxAl -scalemxAr scalerA.
rewrite -mulmxA [Y *m _]mulmxA YY mul_scalar_mx -scalemxAr mixM // scalerA mixZ.
rewrite -mix_scalar mixB lwlh; congr (mix _ _); field; exact: NN.
Qed.

(** Any dual matrix with 1^T M Y ... : G 1 = -(beta/K) 1. *)
Lemma dual_matrix_ones alpha beta :
  dual_matrix alpha beta *m (ones N)^T = - (beta / K%:R) *: (ones K)^T.
Proof.
rewrite -scalemxAl -mulmxA (balanced_ones R bal) -scalemxAr mix_ones // !scalerA.
by congr (_ *: _); rewrite NE; field; rewrite nN KN.
Qed.

(** ** Common zeros are neural collapse *)
Section CommonZeros.
Variables (alpha beta x y : R).
Hypotheses (xa : x = 0 \/ alpha = c) (yb : y = 0 \/ beta = c).
Hypotheses (a0 : 0 <= alpha <= c) (b0 : 0 <= beta <= c).
Local Notation G := (dual_matrix alpha beta).

Let HYt H : H *m Y^T = n%:R *: Hbar H := mulmx_onehot_tr lab n0 H.
Let GHt H : G *m H^T = - (K%:R^-1 *: (mix alpha beta *m (Hbar H)^T)).
Proof.
have -> : G *m H^T = - N%:R^-1 *: (mix alpha beta *m (H *m Y^T)^T).
  by rewrite /dual_matrix -scalemxAl -mulmxA trmx_mul trmxK.
rewrite HYt trmxZ -scalemxAr scalerA -scaleNr; congr (_ *: _).
by rewrite NE; field; rewrite nN KN.
Qed.
Let HGG H : H *m G^T *m G = (lw * lh) *: (c ^- 2 *: (Hbar H *m mix (alpha ^+ 2) (beta ^+ 2) *m Y)).
Proof.
have -> : H *m G^T = - (K%:R^-1 *: (Hbar H *m mix alpha beta)).
  by apply: trmx_inj; rewrite trmx_mul trmxK GHt trmxN trmxZ trmx_mul mix_tr.
rewrite /dual_matrix mulNmx -scalemxAl -scalemxAr scaleNr scalerN opprK scalerA.
rewrite mulmxA -[_ *m mix _ _ *m mix _ _]mulmxA mixM // -!expr2 scalerA; congr (_ *: _).
by rewrite lwlh NE; field; rewrite nN KN cN.
Qed.

(** Where alpha < c the class means have no component in the range of P. *)
Let absorb H : Hbar H *m mix (alpha ^+ 2) (beta ^+ 2) = c ^+ 2 *: Hbar H ->
  Hbar H *m mix alpha beta = c *: Hbar H.
Proof.
move=> e; have sq : mix (alpha ^+ 2) (beta ^+ 2) = mix alpha beta *m mix alpha beta.
  by rewrite mixM.
have i : mix (alpha + c) (beta + c) *m mix (alpha + c)^-1 (beta + c)^-1 = 1%:M.
  have ac : alpha + c != 0 by rewrite gt_eqF // ltr_paddl //; case/andP: a0.
  have bc : beta + c != 0 by rewrite gt_eqF // ltr_paddl //; case/andP: b0.
  by rewrite mixM // !mulfV // mix1.
apply/eqP; rewrite -subr_eq0; apply/eqP.
have f : (Hbar H *m mix alpha beta - c *: Hbar H) *m mix (alpha + c) (beta + c) = 0.
  have -> : mix (alpha + c) (beta + c) = mix alpha beta + c%:M.
    by rewrite -mix_scalar /mix !scalerDl addrACA.
  rewrite mulmxDr !mulmxBl -scalemxAl !mul_mx_scalar scalerA -expr2 -mulmxA -sq e.
  by rewrite addrA subrK subrr.
by have := congr1 (mulmx^~ (mix (alpha + c)^-1 (beta + c)^-1)) f; rewrite -mulmxA i mulmx1 mul0mx.
Qed.

Theorem common_zeros_iff W H :
  [/\ W *m H = mix x y *m Y, W = - lw^-1 *: (G *m H^T)
    & (lw * lh) *: H = H *m G^T *m G] <-> neural_collapse x y W H.
Proof.
have lN : lw * lh != 0 by rewrite mulf_neq0 ?gt_eqF.
have lwN : lw != 0 by rewrite gt_eqF.
rewrite HGG GHt; split=> [[e1 e2 /(scalerI lN) e3]|[e1 e2 e3]].
  have ab : Hbar H *m mix alpha beta = c *: Hbar H.
    apply: absorb; have := congr1 (fun X : 'M[R]_(d, N) => Hbar X) e3.
    rewrite [X in _ = X]class_means_def -scalemxAl scalerA mulrC -scalerA -class_means_def.
    rewrite (class_means_onehot n0 bal) => {2}->.
    by rewrite scalerA mulfV ?expf_neq0 // scale1r.
  have abT : mix alpha beta *m (Hbar H)^T = c *: (Hbar H)^T.
    by rewrite -trmxZ -ab trmx_mul mix_tr.
  have h1 : H = Hbar H *m Y.
    rewrite {1}e3; have -> : mix (alpha ^+ 2) (beta ^+ 2) = mix alpha beta *m mix alpha beta.
      by rewrite mixM.
    rewrite mulmxA ab -scalemxAl ab scalerA -expr2 -scalemxAl scalerA mulVf ?expf_neq0 //.
    by rewrite scale1r.
  have h3 : W = t *: (Hbar H)^T.
    rewrite {1}e2 abT -scalerN scalerA -scaleNr scalerA; congr (_ *: _).
    by rewrite cE; field; rewrite KN lwN.
  split=> //; move: e1; rewrite h3 {2}h1 mulmxA => /(onehot_inj n0 bal) e1.
  by rewrite -e1 -scalemxAl scalerA rhoE mulVf // scale1r.
have ab : Hbar H *m mix alpha beta = c *: Hbar H.
  have split_P : Hbar H *m mix alpha beta
      = alpha *: (Hbar H *m ctr K) + beta *: (Hbar H *m avg K).
    by rewrite /mix mulmxDr -!scalemxAr.
  have Hsum : Hbar H = Hbar H *m ctr K + Hbar H *m avg K.
    by rewrite -mulmxDr ctr_avgD mulmx1.
  have rN : rho != 0 by rewrite rhoE invr_eq0.
  have kill (Q : 'M[R]_K) a : Q^T = Q -> Q *m mix x y *m Q = 0 -> a *: (Hbar H *m Q) = c *: (Hbar H *m Q).
    move=> Qt Q0; suff -> : Hbar H *m Q = 0 by rewrite !scaler0.
    apply/eqP; rewrite -gram_eq0 trmx_mul Qt mulmxA -(mulmxA Q) e2 -scalemxAr -scalemxAl Q0.
    by rewrite scaler0.
  rewrite split_P [in RHS]Hsum scalerDr; congr (_ + _).
    case: xa => [xz|->] //; apply: kill; rewrite ?ctr_tr //.
    by rewrite xz /mix scale0r add0r -scalemxAr ctr_avg // scaler0 mul0mx.
  case: yb => [yz|->] //; apply: kill; rewrite ?avg_tr //.
  by rewrite yz mix_ctr -scalemxAr avg_ctr // scaler0 mul0mx.
have abT : mix alpha beta *m (Hbar H)^T = c *: (Hbar H)^T.
  by rewrite -trmxZ -ab trmx_mul mix_tr.
split.
- rewrite e3 {2}e1 mulmxA -scalemxAl e2 scalerA rhoE mulfV // scale1r //.
- rewrite abT -scalerN scalerA -scaleNr scalerA {1}e3; congr (_ *: _).
  by rewrite cE; field; rewrite KN lwN.
have -> : mix (alpha ^+ 2) (beta ^+ 2) = mix alpha beta *m mix alpha beta by rewrite mixM.
rewrite mulmxA ab -scalemxAl ab scalerA -expr2 -scalemxAl [c ^- 2 *: _]scalerA.
by rewrite mulVf ?expf_neq0 // scale1r -e1.
Qed.
End CommonZeros.

(** ** Existence in the smallest dimension *)
Lemma collapse_exists x y : 0 <= x -> 0 <= y -> (\rank (mix x y : 'M[R]_K) <= d)%N ->
  exists W H, neural_collapse x y W H.
Proof.
move=> x0 y0 rk; pose S : 'M[R]_K := rho *: mix x y.
have St : S^T = S by rewrite /S trmxZ mix_tr.
have S0 : psd S by rewrite /S; apply: psdZ (mix_psd K0 x0 y0); rewrite ltW ?mean_scale_gt0.
have [M MM] := gram_factor St S0 (leq_trans (mxrank_scale _ _) rk).
by exists (t *: M^T), (M *m Y); rewrite /neural_collapse (class_means_onehot n0 bal).
Qed.

(** A simplex ETF exists for d >= K - 1, an orthogonal frame for d >= K ... *)
Lemma etf_exists x : 0 <= x -> (K.-1 <= d)%N -> exists W H, neural_collapse x 0 W H.
Proof.
move=> x0 Kd; apply: collapse_exists => //.
have [->|xN] := eqVneq x 0; first by rewrite mix_ctr scale0r mxrank0.
by rewrite rank_mix_ctr.
Qed.
Lemma frame_exists x y : 0 <= x -> 0 <= y -> (K <= d)%N -> exists W H, neural_collapse x y W H.
Proof. by move=> x0 y0 Kd; apply: collapse_exists => //; apply: leq_trans (rank_mix _ _ _) Kd. Qed.

(** ... and in no smaller dimension. *)
Lemma collapse_rank x y W H : neural_collapse x y W H -> (\rank (mix x y : 'M[R]_K) <= d)%N.
Proof.
case=> _ e _; have rN : rho != 0 by rewrite rhoE invr_eq0.
by rewrite -(mxrank_scale_nz _ rN) -e; exact: gram_rank.
Qed.
Lemma etf_dim x y W H : 0 < x -> neural_collapse x y W H -> (K.-1 <= d)%N.
Proof.
move=> x0 /collapse_rank; apply: leq_trans.
have {1}<- : \rank (ctr K *m mix x y : 'M[R]_K) = K.-1.
  rewrite /mix mulmxDr -!scalemxAr ctrM // ctr_avg // scaler0 addr0.
  by rewrite mxrank_scale_nz ?rank_ctr // gt_eqF.
exact: mxrankM_maxr.
Qed.
Lemma frame_dim x y W H : 0 < x -> 0 < y -> neural_collapse x y W H -> (K <= d)%N.
Proof. by move=> x0 y0 /collapse_rank; rewrite rank_mix_full // gt_eqF. Qed.

(** Collapse at scale zero is W = 0, H = 0. *)
Lemma collapse_zero W H : neural_collapse 0 0 W H <-> W = 0 /\ H = 0.
Proof.
split=> [[e1 /eqP + e3]|[-> ->]]; last first.
  have h0 : Hbar (0 : 'M[R]_(d, N)) = 0 by rewrite class_means_def mul0mx scaler0.
  by rewrite /neural_collapse h0 trmx0 !mul0mx mix_ctr scale0r !scaler0.
rewrite mix_ctr scale0r scaler0 gram_eq0 => /eqP h.
by split; [rewrite e3 h trmx0 scaler0|rewrite e1 h mul0mx].
Qed.

(** Every feature equals its class mean. *)
Lemma collapse_columns x y W H i :
  neural_collapse x y W H -> col i H = col (lab i) (Hbar H).
Proof. by case=> e _ _; rewrite {1}e col_mulmx_onehot. Qed.

(** At a simplex ETF the class means sum to zero. *)
Lemma etf_centred x W H : neural_collapse x 0 W H -> Hbar H *m (ones K)^T = 0.
Proof.
case=> _ e _; apply/eqP; rewrite -gram_eq0 trmx_mul -mulmxA (mulmxA (Hbar H)^T) e.
by rewrite mix_ctr -!scalemxAl ctr_ones // !scaler0 mulmx0.
Qed.
Lemma etf_global_mean x W H : neural_collapse x 0 W H -> H *m (ones N)^T = 0.
Proof.
move=> nc; case: (nc) => e _ _; rewrite e -mulmxA (balanced_ones R bal) -scalemxAr.
by rewrite (etf_centred nc) scaler0.
Qed.
End Geometry.
