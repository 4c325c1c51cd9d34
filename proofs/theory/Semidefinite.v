(** Positive semidefinite matrices as quadratic forms, the operator-norm bound
    G^T G <= m I, and Gram factorisations of the smallest possible size: all by
    elimination, so that no spectral theorem is needed. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From UFM Require Import Frobenius.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Semidefinite.
Variable R : rcfType.

(** x S x^T >= 0 for every row vector x. *)
Definition psd n (S : 'M[R]_n) := forall x : 'rV_n, 0 <= frob (x *m S) x.

(** G^T G <= m I, that is ||G||_op^2 <= m. *)
Definition op_sq_le k n (G : 'M[R]_(k, n)) (m : R) := psd (m%:M - G^T *m G).

(** tr (X S X^T) >= 0: the form applied to all rows of X at once. *)
Lemma psd_form p n (S : 'M[R]_n) (X : 'M_(p, n)) : psd S -> 0 <= frob (X *m S) X.
Proof.
move=> S0; rewrite frob_rows; apply: sumr_ge0 => i _.
by rewrite row_mul; exact: S0.
Qed.

(** A semidefinite form that vanishes at X has X in its kernel. *)
Lemma psd_kernel p n (S : 'M[R]_n) (X : 'M_(p, n)) :
  S^T = S -> psd S -> frob (X *m S) X = 0 -> X *m S = 0.
Proof.
move=> St S0 q0; apply/eqP; rewrite -sqF_eq0 eq_le sqF_ge0 andbT leNgt.
apply/negP => a0; set a := sqF _ in a0; set q := frob (X *m S *m S) (X *m S).
have q_ge0 : 0 <= q := psd_form _ S0.
have q1 : 0 < q + 1 by rewrite ltr_paddl ?ltr01.
pose t := - (a / (q + 1)).
have : 0 <= frob ((X + t *: (X *m S)) *m S) (X + t *: (X *m S)) := psd_form _ S0.
rewrite mulmxDl frobDl !frobDr q0 -scalemxAl !frobZl !frobZr -/q.
have -> : frob (X *m S *m S) X = a by rewrite frob_mull St.
rewrite -/(sqF _) -/a leNgt => /negP; apply.
have -> : 0 + t * a + (t * a + t * (t * q)) = - ((a / (q + 1)) ^+ 2 * (q + 2%:R)).
  rewrite /t; have qN : q + 1 != 0 by rewrite gt_eqF.
  by field.
rewrite oppr_lt0 mulr_gt0 ?exprn_gt0 ?divr_gt0 //.
by rewrite ltr_paddl ?ltr0n.
Qed.

Lemma psd0 n : psd (0 : 'M[R]_n).
Proof. by move=> x; rewrite mulmx0 frob0l. Qed.
Lemma psdD n (S T : 'M[R]_n) : psd S -> psd T -> psd (S + T).
Proof. by move=> S0 T0 x; rewrite mulmxDr frobDl addr_ge0. Qed.
Lemma psdZ n a (S : 'M[R]_n) : 0 <= a -> psd S -> psd (a *: S).
Proof. by move=> a0 S0 x; rewrite -scalemxAr frobZl mulr_ge0. Qed.

(** M^T S M is semidefinite when S is. *)
Lemma psd_congr n p (S : 'M[R]_n) (M : 'M_(n, p)) : psd S -> psd (M^T *m S *m M).
Proof.
by move=> S0 x; rewrite !mulmxA frob_mull; exact: S0.
Qed.

Lemma psd_gram n p (M : 'M[R]_(n, p)) : psd (M^T *m M).
Proof. by move=> x; rewrite mulmxA frob_mull sqF_ge0. Qed.

(** ** The operator-norm bound *)
Lemma gram_sym k n (G : 'M[R]_(k, n)) m : (m%:M - G^T *m G)^T = m%:M - G^T *m G.
Proof. by rewrite trmxB tr_scalar_mx trmx_mul trmxK. Qed.

Lemma op_form p k n (G : 'M[R]_(k, n)) m (H : 'M_(p, n)) :
  frob (H *m (m%:M - G^T *m G)) H = m * sqF H - sqF (G *m H^T).
Proof.
rewrite mulmxBr mul_mx_scalar frobBl frobZl; congr (_ - _).
by rewrite mulmxA frob_mull -/(sqF _) -[RHS]sqF_tr trmx_mul trmxK.
Qed.

(** |G H^T|^2 <= m |H|^2 *)
Lemma op_sq_leP p k n (G : 'M[R]_(k, n)) m (H : 'M_(p, n)) :
  op_sq_le G m -> sqF (G *m H^T) <= m * sqF H.
Proof. by move=> g; rewrite -subr_ge0 -op_form; exact: psd_form. Qed.

(** Equality holds exactly when m H = H G^T G. *)
Lemma op_sq_eqP p k n (G : 'M[R]_(k, n)) m (H : 'M_(p, n)) :
  op_sq_le G m ->
  m * sqF H - sqF (G *m H^T) = 0 <-> m *: H = H *m G^T *m G.
Proof.
move=> g; rewrite -op_form; split=> [/(psd_kernel (gram_sym G m) g)|e].
  by rewrite mulmxBr mul_mx_scalar mulmxA => /eqP; rewrite subr_eq0 => /eqP.
by rewrite mulmxBr mul_mx_scalar mulmxA e subrr frob0l.
Qed.

(** A bound on the columns is a bound on the rows: ||G||_op = ||G^T||_op. *)
Lemma op_sq_le_tr k n (G : 'M[R]_(k, n)) m : 0 <= m -> op_sq_le G m -> op_sq_le G^T m.
Proof.
move=> m0 g x; rewrite op_form subr_ge0; set a := sqF (G^T *m x^T).
have a0 : 0 <= a by exact: sqF_ge0.
have [->|aN0] := eqVneq a 0; first by rewrite mulr_ge0 ?sqF_ge0.
have ap : 0 < a by rewrite lt_def aN0.
rewrite -(ler_pmul2r ap) -expr2 mulrAC.
have {1}-> : a = frob x^T (G *m (G^T *m x^T)) by rewrite /a /sqF frob_mulr trmxK.
apply: le_trans (cauchy_schwarz _ _) _; rewrite sqF_tr [sqF x * _]mulrC.
apply: ler_wpmul2r; first exact: sqF_ge0.
have := op_sq_leP (x *m G) g; rewrite trmx_mul => h; apply: le_trans h _.
by rewrite -sqF_tr trmx_mul.
Qed.

(** A matrix with G G^T = m I on the range of a projector, and G = Q G, meets
    the bound m. *)
Lemma op_sq_le_proj k n (G : 'M[R]_(k, n)) (Q : 'M_k) m :
  0 <= m -> Q^T = Q -> Q *m Q = Q -> G *m G^T = m *: Q -> op_sq_le G m.
Proof.
move=> m0 Qt QQ GG; rewrite -[G]trmxK; apply: op_sq_le_tr => // x.
rewrite op_form.
have xQ : frob x (x *m Q) = sqF (x *m Q) by rewrite /sqF frob_mull Qt -mulmxA QQ.
have -> : sqF (G^T *m x^T) = m * sqF (x *m Q).
  rewrite -xQ -trmx_mul sqF_tr /sqF frob_mull -mulmxA GG -scalemxAr frobZr.
  by [].
rewrite -mulrBr mulr_ge0 //.
by have := sqF_ge0 (x - x *m Q); rewrite sqFB xQ; congr (_ <= _); ring.
Qed.

(** ** Elimination: one step of the LDL^T factorisation *)
Section Pivot.
Variables (n : nat) (S : 'M[R]_n) (i : 'I_n).
Hypotheses (St : S^T = S) (Sii : 0 < S i i).
Let v := row i S.
Let piv := S i i.

(** What is left of S after its i-th row and column are eliminated. *)
Definition schur : 'M[R]_n := S - piv^-1 *: (v^T *m v).

Lemma schur_sym : schur^T = schur.
Proof. by rewrite /schur trmxB trmxZ trmx_mul trmxK St. Qed.

Lemma row_delta (x : 'rV[R]_n) j : x *m (delta_mx 0 j : 'rV_n)^T = (x 0 j)%:M.
Proof.
apply/matrixP => a b; rewrite !ord1 !mxE (bigD1 j) //= !mxE !eqxx mulr1.
by rewrite big1 ?addr0 ?mulr1n // => k kj; rewrite !mxE (negbTE kj) mulr0.
Qed.

Let delta_S : (delta_mx 0 i : 'rV_n) *m S = v. Proof. by rewrite -rowE. Qed.

Lemma schur_delta : schur *m (delta_mx 0 i : 'rV_n)^T = 0.
Proof.
rewrite mulmxBl -scalemxAl -mulmxA row_delta !mxE mul_mx_scalar scalerA.
rewrite mulVf ?gt_eqF // scale1r -/v -delta_S trmx_mul St subrr //.
Qed.

(** x S x^T = x schur x^T + (x v^T)^2 / S_ii *)
Lemma schur_form (x : 'rV[R]_n) :
  frob (x *m S) x = frob (x *m schur) x + piv^-1 * sqF (x *m v^T).
Proof.
rewrite /schur mulmxBr frobBl -scalemxAr frobZl mulmxA.
by rewrite [frob (_ *m v) x]frob_mull subrK.
Qed.

(** Moving along e_i to the point where the eliminated square vanishes. *)
Lemma schur_shift (x : 'rV[R]_n) :
  exists y : 'rV_n, frob (y *m S) y = frob (x *m schur) x.
Proof.
pose t := piv^-1 * (x *m v^T) 0 0.
pose e : 'rV[R]_n := delta_mx 0 i.
exists (x - t *: e); rewrite schur_form.
have es : e *m schur = 0.
  by apply: trmx_inj; rewrite trmx_mul schur_sym schur_delta trmx0.
have -> : (x - t *: e) *m v^T = 0.
  apply: trmx_inj; rewrite mulmxBl -scalemxAl trmxB trmxZ !trmx_mul !trmxK.
  rewrite row_delta !mxE trmx0 scale_scalar_mx.
  have -> : v *m x^T = ((x *m v^T) 0 0)%:M.
    by rewrite -[v *m _]trmxK trmx_mul trmxK [LHS]mx11_scalar !mxE.
  by rewrite -/piv /t mulrAC mulVf ?gt_eqF // mul1r subrr.
rewrite sqF0 mulr0 addr0 mulmxBl -scalemxAl es scaler0 subr0 frobBr frobZr.
by rewrite [frob _ e]frob_mull schur_sym es frob0r mulr0 subr0.
Qed.

Lemma schur_psd : psd S -> psd schur.
Proof. by move=> S0 x; have [y <-] := schur_shift x. Qed.

(** The Schur complement has smaller rank. *)
Lemma schur_rank : (\rank schur < \rank S)%N.
Proof.
have le : (schur <= S)%MS.
  rewrite /schur addmx_sub // eqmx_opp scalemx_sub // mulmx_sub //.
  exact: row_sub.
apply: rank_ltmx; rewrite /ltmx le /=; apply/negP => /submxP [D eD].
have := congr1 (mulmx^~ (delta_mx 0 i : 'rV_n)^T) eD.
rewrite -mulmxA schur_delta mulmx0 => /matrixP/(_ i 0).
rewrite !mxE (bigD1 i) //= !mxE !eqxx mulr1 big1 => [|k ki].
  by rewrite addr0 => e; move: Sii; rewrite e ltxx.
by rewrite !mxE (negbTE ki) mulr0.
Qed.
End Pivot.

(** A semidefinite matrix with zero diagonal is zero; more precisely, a symmetric
    one either is zero, has a positive pivot, or takes a negative value. *)
Lemma pivot_cases n (S : 'M[R]_n) : S^T = S ->
  [\/ S = 0, exists i, 0 < S i i | exists x : 'rV_n, frob (x *m S) x < 0].
Proof.
move=> St.
have q (x : 'rV[R]_n) j : frob (x *m S) (delta_mx 0 j) = (x *m S) 0 j.
  by rewrite frob_def row_delta mxtrace_scalar.
have qe i j : frob ((delta_mx 0 i : 'rV_n) *m S) (delta_mx 0 j) = S i j.
  by rewrite q -rowE mxE.
case: (pickP (fun i => 0 < S i i)) => [i Si|dpos]; first by apply: Or32; exists i.
case: (pickP (fun i => S i i < 0)) => [i Si|dneg].
  by apply: Or33; exists (delta_mx 0 i); rewrite qe.
have d0 i : S i i = 0.
  by apply/eqP; rewrite eq_le !leNgt dpos dneg.
case: (pickP (fun p : 'I_n * 'I_n => S p.1 p.2 != 0)) => [[i j] /= Sij|z]; last first.
  by apply: Or31; apply/matrixP => i j; rewrite mxE; apply/eqP/negPn; rewrite (z (i, j)).
apply: Or33; exists (S i j *: delta_mx 0 i - delta_mx 0 j).
rewrite mulmxBl -scalemxAl frobBl !frobBr !frobZl !frobZr !qe !d0.
have -> : S j i = S i j by rewrite -{1}St mxE.
rewrite !mulr0 !sub0r subr0 -opprD oppr_lt0 -expr2.
by rewrite addr_gt0 // lt_def sqr_ge0 sqrf_eq0 Sij.
Qed.

(** Every symmetric matrix is semidefinite or takes a negative value: decided by
    elimination. *)
Theorem psd_or_negative n (S : 'M[R]_n) : S^T = S ->
  psd S \/ exists x : 'rV_n, frob (x *m S) x < 0.
Proof.
move: {2}(\rank S) (leqnn (\rank S)) => r.
elim: r S => [|r IH] S rS St.
  by left; move: rS; rewrite leqn0 mxrank_eq0 => /eqP ->; exact: psd0.
case: (pivot_cases St) => [->|[i Si]|neg]; [by left; exact: psd0| |by right].
have rs : (\rank (schur S i) <= r)%N by rewrite -ltnS (leq_trans (schur_rank St Si)).
case: (IH _ rs (schur_sym i St)) => [p|[x xn]].
  left=> x; rewrite (schur_form S i) addr_ge0 //.
  by rewrite mulr_ge0 ?sqF_ge0 // invr_ge0 ltW.
by right; have [y e] := schur_shift St Si x; exists y; rewrite e.
Qed.

(** Gram factorisation of the smallest size: a symmetric semidefinite S is
    M^T M with as many rows in M as the rank of S, or any larger number. *)
Theorem gram_factor n (S : 'M[R]_n) d : S^T = S -> psd S -> (\rank S <= d)%N ->
  exists M : 'M[R]_(d, n), M^T *m M = S.
Proof.
elim: d S => [|d IH] S St S0 rS.
  by exists 0; move: rS; rewrite leqn0 mxrank_eq0 => /eqP ->; rewrite mulmx0.
case: (pivot_cases St) => [->|[i Si]|[x]]; first by exists 0; rewrite mulmx0.
  have rs : (\rank (schur S i) <= d)%N by rewrite -ltnS (leq_trans (schur_rank St Si)).
  have [M MM] := IH _ (schur_sym i St) (schur_psd St Si S0) rs.
  pose C : 'M[R]_(1 + d, n) := col_mx ((Num.sqrt (S i i))^-1 *: row i S) M.
  suff e : C^T *m C = S by exists C.
  rewrite tr_col_mx mul_row_col MM trmxZ -scalemxAl -scalemxAr scalerA -invfM.
  by rewrite -expr2 sqr_sqrtr ?ltW // /schur addrC subrK.
by rewrite ltNge S0.
Qed.

(** No Gram factorisation is smaller than the rank. *)
Lemma gram_rank d n (M : 'M[R]_(d, n)) : (\rank (M^T *m M) <= d)%N.
Proof. exact: leq_trans (mxrankM_maxr _ _) (rank_leq_row _). Qed.
End Semidefinite.
